"""Airflow's users and roles, made from the people of our register, and its pool: one process, `python -m console.airflow.auth_users`.

Our register says who may decide what; these roles only say what of Airflow itself a duty sees and starts. Nobody is made
Airflow's own Admin, who could do everything at once. Reads {"people": [...], "passwords": {id: password}} from standard input.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from console.airflow.directory import AUTH_DB, role_name
from console.airflow.pools import make_pool
from custody.permissions import Duty

Permission = tuple[str, str]


def _all(action: str, *resources: str) -> frozenset[Permission]:
    return frozenset((action, resource) for resource in resources)


_OWN_ACCOUNT = (
    _all("can_read", "Website", "My Profile", "My Password") | _all("can_edit", "My Profile", "My Password")
)  # fmt: skip
# Sees every DAG, run and log, and our pages ("Plugins": without it Airflow shows no page of ours in its menu).
_READS = (
    _OWN_ACCOUNT
    | _all(
        "can_read", "DAGs", "DAG Code", "DAG Dependencies", "DAG Runs", "DAG Versions", "DAG Warnings", "Task Instances",
        "Task Logs", "XComs", "Assets", "Asset Aliases", "Backfills", "HITL Detail", "ImportError", "Jobs", "Cluster Activity",
        "Plugins", "Pools",
    )
    | _all("menu_access", "DAGs", "DAG Runs", "Task Instances", "Assets", "HITL Detail", "Cluster Activity", "Docs", "Browse")
)  # fmt: skip
_STARTS = _all("can_create", "DAG Runs", "Backfills") | _all("can_edit", "DAGs", "DAG Runs", "Task Instances", "Backfills")
_AUDITS = _all("can_read", "Audit Logs") | _all("menu_access", "Audit Logs")
# Answers what the customer DAG asks a second person; our service then says whether he may decide (console/airflow/approval.py).
# In Airflow an answer takes the right to edit its DAG: of those only; to pause one it does not do (console/airflow/auth_manager.py).
_ANSWERS = _all(
    "can_edit",
    "HITL Detail",
    "DAG:customer_maintenance",
    "DAG:case_approvals",
    "DAG:fee_approvals",
    "DAG:report_releases",
    "DAG:master_data_approvals",
    "DAG:restatement",
    "DAG:rule_approvals",
)
# Users themselves come from the register by this module: an administrator looks at them, and after the machinery.
_ADMINISTERS = (
    _AUDITS
    | _all("can_read", "Users", "Roles", "Configurations", "Providers", "Triggers")
    | _all("can_create", "Pools")
    | _all("can_edit", "Pools")
    | _all("can_delete", "Pools")
    | _all("menu_access", "Admin", "Configurations", "Pools", "Plugins", "Providers")
)

ROLES: Mapping[Duty, frozenset[Permission]] = {
    Duty.OPERATOR: _READS | _STARTS,
    Duty.SUPERVISOR: _READS | _ANSWERS,
    Duty.RISK_OFFICER: _READS,
    Duty.FEE_OFFICER: _READS,
    Duty.REPORT_OFFICER: _READS,
    Duty.ADMINISTRATOR: _READS | _ADMINISTERS,
    Duty.AUDITOR: _READS | _AUDITS,
    # Reports only (domain.md §10): he may log in, and Airflow shows him nothing of the bank's day.
    Duty.REGULATOR: _OWN_ACCOUNT,
}


def synchronise(manager: Any, people: Sequence[Mapping[str, Any]], passwords: Mapping[str, str]) -> list[str]:
    """Make the roles exactly as declared and a user for each active person; returns the ids of users made now.

    A user keeps the password that he may have changed. Who is no longer active in the register, or not in it at all, can
    no longer log in. ``manager``: FAB's security manager. Where the bank's directory logs people in, nobody has a password here: FAB
    would take one for a token, past the directory.
    """
    directory = manager.auth_type != AUTH_DB
    for duty, wanted in ROLES.items():
        role = manager.add_role(role_name(duty))
        role.permissions = [manager.create_permission(action, resource) for action, resource in sorted(wanted)]
        manager.session.commit()
    made = []
    active = {person["person_id"]: person for person in people if person["active"]}
    for person_id, person in active.items():
        roles = [manager.find_role(role_name(duty)) for duty in person["duties"]]
        user = manager.find_user(username=person_id)
        if user is None:
            # FAB wants an address that is nobody else's; it is never written to.
            address = f"{person_id}@localhost"
            name = person["display_name"]
            if not manager.add_user(
                person_id, name, "", address, roles, password=secrets.token_urlsafe(32) if directory else passwords[person_id]
            ):
                raise RuntimeError(f"Airflow did not take the user {person_id}; its log says why")
            made.append(person_id)
        else:
            user.roles, user.active = roles, True
            manager.update_user(user)
            if directory:
                manager.reset_password(user.id, secrets.token_urlsafe(32))
    for user in manager.get_all_users():
        if user.username not in active and user.active:
            user.active = False
            manager.update_user(user)
    return made


def main() -> None:
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    asked = json.load(sys.stdin)
    with get_application_builder() as builder:
        made = synchronise(builder.sm, asked["people"], asked["passwords"])
        make_pool()
    print(json.dumps({"made": made}))


if __name__ == "__main__":
    main()
