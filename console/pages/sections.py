"""The console's sections, and by the services' own table of permissions which of them a person may open.

Every process of Airflow loads this with the plugin: it imports next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from custody.permissions import permitted


@dataclass(frozen=True)
class Section:
    """``page``: its address. ``action``: what the page asks of its reader."""

    page: str
    title: tuple[str, str]
    action: str


SECTIONS = (
    Section("day", ("Day", "账务日"), "day.view"),
    Section("cases", ("Cases", "案件"), "case.view"),
    Section("alerts", ("Alerts", "预警"), "alert.view"),
    Section("files", ("Files", "文件"), "day.view"),
    Section("results", ("Results", "对账结果"), "day.view"),
    Section("rules", ("Rules", "对账规则"), "day.view"),
    Section("compliance", ("Compliance", "合规"), "compliance.view"),
    Section("fees", ("Fees", "存管费"), "fee.view"),
    Section("reports", ("Reports", "报表"), "report.view"),
    Section("customers", ("Customers", "客户"), "customer.view"),
    Section("transactions", ("Transactions", "交易"), "transaction.view"),
    Section("loans", ("Loans", "标的"), "loan.view"),
    Section("organisations", ("Organisations", "机构"), "day.view"),
    Section("calendar", ("Calendar", "日历"), "day.view"),
    Section("people", ("People", "人员"), "person.view"),
    Section("audit", ("Audit trail", "审计"), "audit.view"),
)


def open_to(duties: frozenset[str]) -> list[Section]:
    return [section for section in SECTIONS if permitted(section.action, duties)]
