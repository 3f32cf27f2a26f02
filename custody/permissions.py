"""Who may do what (domain.md §10). The auditor reads all and changes nothing; the regulator reads reports only."""

from __future__ import annotations

from enum import StrEnum


class Duty(StrEnum):
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    RISK_OFFICER = "risk_officer"
    FEE_OFFICER = "fee_officer"
    REPORT_OFFICER = "report_officer"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    REGULATOR = "regulator"
    # Scheduled work: what no person decides.
    SYSTEM = "system"


# Duties that read and change nothing.
READ_ONLY = frozenset({Duty.AUDITOR, Duty.REGULATOR})

# Everybody who works on the day, or checks it; the regulator sees reports only.
DESK = frozenset(Duty) - {Duty.REGULATOR, Duty.SYSTEM}

# action -> duties that may do it. An action that is not listed may be done by nobody.
PERMISSIONS: dict[str, frozenset[Duty]] = {
    "person.view": frozenset({Duty.ADMINISTRATOR, Duty.SUPERVISOR, Duty.AUDITOR}),
    "person.add": frozenset({Duty.ADMINISTRATOR}),
    "party.propose": frozenset({Duty.OPERATOR, Duty.ADMINISTRATOR}),
    "party.approve": frozenset({Duty.SUPERVISOR}),
    # Contacts of an organisation in clear.
    "contact.reveal": frozenset({Duty.OPERATOR, Duty.SUPERVISOR, Duty.ADMINISTRATOR, Duty.RISK_OFFICER}),
    # To test an onboarded party's samples: a sweep does it by itself.
    "party.test": frozenset({Duty.SYSTEM, Duty.OPERATOR}),
    "calendar.propose": frozenset({Duty.OPERATOR, Duty.ADMINISTRATOR}),
    "calendar.approve": frozenset({Duty.SUPERVISOR}),
    "restatement.propose": frozenset({Duty.OPERATOR}),
    "restatement.approve": frozenset({Duty.SUPERVISOR}),
    "file.give_up": frozenset({Duty.OPERATOR}),
    "file.give_up_approve": frozenset({Duty.SUPERVISOR}),
    "case.view": DESK,
    # Operators, and whoever owns the rule (custody.services.rules).
    "rule.propose": frozenset({Duty.OPERATOR, Duty.SUPERVISOR, Duty.RISK_OFFICER, Duty.FEE_OFFICER, Duty.REPORT_OFFICER}),
    "rule.approve": frozenset({Duty.SUPERVISOR}),
    "case.assign": frozenset({Duty.OPERATOR, Duty.SUPERVISOR}),
    "case.comment": frozenset({Duty.OPERATOR, Duty.SUPERVISOR, Duty.RISK_OFFICER}),
    "case.reopen": frozenset({Duty.OPERATOR, Duty.SUPERVISOR}),
    "case.propose": frozenset({Duty.OPERATOR}),
    "case.adjust": frozenset({Duty.OPERATOR}),
    "case.approve": frozenset({Duty.SUPERVISOR}),
    "alert.view": DESK,
    "alert.close": frozenset({Duty.OPERATOR, Duty.RISK_OFFICER, Duty.SUPERVISOR}),
    "alert.acknowledge": frozenset({Duty.OPERATOR, Duty.RISK_OFFICER, Duty.SUPERVISOR}),
    "alert.raise": frozenset({Duty.SYSTEM, Duty.OPERATOR}),
    "alert.send": frozenset({Duty.SYSTEM, Duty.OPERATOR}),
    # Findings of compliance; those that are confidential by the law against money laundering.
    "compliance.view": frozenset({Duty.OPERATOR, Duty.SUPERVISOR, Duty.RISK_OFFICER, Duty.AUDITOR}),
    "compliance.confidential.view": frozenset({Duty.RISK_OFFICER, Duty.AUDITOR}),
    "watch_list.propose": frozenset({Duty.RISK_OFFICER, Duty.OPERATOR}),
    "watch_list.approve": frozenset({Duty.SUPERVISOR}),
    # What becomes of a hold that only those may know of who see what is confidential.
    "aml_hold.view": frozenset({Duty.RISK_OFFICER, Duty.AUDITOR}),
    "aml_hold.propose": frozenset({Duty.RISK_OFFICER}),
    "aml_hold.approve": frozenset({Duty.RISK_OFFICER}),
    # Large values and suspicious transactions are filed by those who may know of them.
    "aml_filing.view": frozenset({Duty.RISK_OFFICER, Duty.AUDITOR}),
    "aml_filing.propose": frozenset({Duty.RISK_OFFICER}),
    "aml_filing.approve": frozenset({Duty.RISK_OFFICER}),
    "aml_filing.send": frozenset({Duty.SYSTEM, Duty.RISK_OFFICER}),
    "aml_filing.answer": frozenset({Duty.RISK_OFFICER}),
    # A computed charge of custody fees, or what no ledger counts for one; to send what was approved.
    "fee.view": DESK,
    "fee.propose": frozenset({Duty.FEE_OFFICER}),
    "fee.approve": frozenset({Duty.SUPERVISOR}),
    "fee.send": frozenset({Duty.SYSTEM, Duty.FEE_OFFICER, Duty.OPERATOR}),
    # The regulator sees what was released, and nothing else (custody.release_life).
    "report.view": DESK | {Duty.REGULATOR},
    "report.draft.view": DESK,
    "report.trace.view": DESK,
    "report.propose": frozenset({Duty.REPORT_OFFICER}),
    "report.approve": frozenset({Duty.SUPERVISOR}),
    # The key by which the days' roots are signed; what proves a report, or a row, to somebody outside the bank.
    "seal_key.propose": frozenset({Duty.ADMINISTRATOR}),
    "seal_key.approve": frozenset({Duty.SUPERVISOR}),
    "proof.view": DESK,
    # To write down what a verification found; anybody at the machine may verify.
    "verify.record": frozenset({Duty.SYSTEM, Duty.OPERATOR, Duty.SUPERVISOR, Duty.ADMINISTRATOR}),
    # To hand over what two people released, and take the recipients' receipts.
    "report.send": frozenset({Duty.SYSTEM, Duty.REPORT_OFFICER, Duty.OPERATOR}),
    "file.collect": frozenset({Duty.SYSTEM, Duty.OPERATOR}),
    "outbound.send": frozenset({Duty.SYSTEM, Duty.OPERATOR}),
    "outbound.again": frozenset({Duty.OPERATOR, Duty.SUPERVISOR}),
    "host.resume": frozenset({Duty.OPERATOR, Duty.SUPERVISOR}),
    "results.send": frozenset({Duty.SYSTEM, Duty.OPERATOR}),
    "day.run": frozenset({Duty.SYSTEM, Duty.OPERATOR}),
    # To look at the desk's page of a day.
    "day.view": DESK,
    # To look at customers' money, on a page or by name: what the desk needs every day, user numbers masked.
    "loan.view": DESK,
    "transaction.view": DESK,
    "statement.view": DESK,
    "day.rerun": frozenset({Duty.SUPERVISOR}),
    # One person, masked; in clear, for a reason; all that is held on him, for himself.
    "customer.view": frozenset({Duty.OPERATOR, Duty.SUPERVISOR, Duty.RISK_OFFICER, Duty.AUDITOR}),
    "customer.reveal": frozenset({Duty.OPERATOR, Duty.SUPERVISOR, Duty.RISK_OFFICER}),
    "customer.export": frozenset({Duty.SUPERVISOR}),
    "customer.propose": frozenset({Duty.OPERATOR}),
    "customer.approve": frozenset({Duty.SUPERVISOR}),
    # What was approved, and what the law no longer keeps: decided by others, so the scheduler may do it.
    "customer.carry_out": frozenset({Duty.SYSTEM, Duty.OPERATOR, Duty.SUPERVISOR}),
    # What everybody did, also what the law against money laundering keeps confidential.
    "audit.view": frozenset({Duty.AUDITOR}),
    "store.backup": frozenset({Duty.ADMINISTRATOR, Duty.SYSTEM}),
    "store.rebuild": frozenset({Duty.ADMINISTRATOR}),
}


def permitted(action: str, duties: frozenset[str]) -> bool:
    return bool(PERMISSIONS.get(action, frozenset()) & duties)


def needed_duties(action: str) -> str:
    """The duties that may do an action, as words: "supervisor or operator"."""
    return " or ".join(sorted(PERMISSIONS.get(action, frozenset()))) or "a duty that nobody has"
