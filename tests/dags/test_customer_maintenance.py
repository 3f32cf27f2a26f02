"""A proposal's run: shown, answered by a person in Airflow's own way, decided by our service, carried out or left alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from .conftest import Custody

PROPOSAL = "0123456789abcdef"
SHOW = f"proposal show {PROPOSAL} --json"
CARRY_OUT = f"customer carry-out {PROPOSAL} --json"


class Person:
    """What Airflow's answer route asks of its user."""

    def get_id(self) -> str:
        return "2"

    def get_name(self) -> str:
        return "checker"


@contextmanager
def answering(chosen: str, note: str) -> Iterator[list[Any]]:
    """Answers the first request that waits, by the route behind Airflow's button; yields what was asked."""
    from airflow.api_fastapi.core_api.routes.public import hitl
    from airflow.models import import_all_models

    # Both threads would import them, each holding a module's lock that the other waits for.
    import_all_models()
    assert hitl.update_hitl_detail
    asked: list[Any] = []
    over = threading.Event()
    thread = threading.Thread(target=_answer, args=(chosen, note, asked, over))
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()


def _answer(chosen: str, note: str, asked: list[Any], over: threading.Event) -> None:
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    waiting = select(TaskInstance).where(TaskInstance.state == TaskInstanceState.AWAITING_INPUT)
    while not over.wait(0.2):
        with create_session() as session:
            for instance in session.scalars(waiting):
                detail = session.get(HITLDetail, instance.id)
                assert detail is not None
                if detail.responded_at is not None:
                    # dag.test set the state that it saw over the answer's, which came between: what the route did is done again.
                    handle_event_submit(TriggerEvent(detail.as_resume_event_payload()), task_instance=instance, session=session)
                    continue
                if asked:
                    continue
                asked.append((detail.subject, detail.body, list(detail.options)))
                update_hitl_detail(
                    dag_id=instance.dag_id,
                    dag_run_id=instance.run_id,
                    task_id=instance.task_id,
                    update_hitl_detail_payload=UpdateHITLDetailPayload(chosen_options=[chosen], params_input={"note": note}),
                    user=Person(),  # type: ignore[arg-type]
                    session=session,
                )


def run(bag: DagBag, dag_id: str = "customer_maintenance") -> Any:
    dag = bag.dags[dag_id]
    for task in dag.tasks:
        task.retry_delay, task.max_retry_delay = timedelta(0), timedelta(milliseconds=1)
    return dag.test(run_conf={"proposal_id": PROPOSAL})


def states(dag_run: Any) -> dict[str, str]:
    return {instance.task_id: str(instance.state) for instance in dag_run.get_task_instances()}


def test_an_approval_is_the_services_by_who_answered_and_then_it_is_carried_out(bag: DagBag, custody: Custody) -> None:
    custody.answers("proposal", {"words": ["kind: CUSTOMER_DELETE", "maker: maker"], "state": "APPROVED"})
    with answering("Approve", "seen the papers") as asked:
        done = run(bag)
    assert set(states(done).values()) == {"success"}
    decide = f"proposal approve {PROPOSAL} --as checker --note seen the papers --json"
    assert custody.calls() == [SHOW, decide, CARRY_OUT]
    ((subject, body, options),) = asked
    assert PROPOSAL in subject and body == "- `kind: CUSTOMER_DELETE`\n- `maker: maker`\n" and options == ["Approve", "Reject"]


def test_after_a_rejection_nothing_is_carried_out(bag: DagBag, custody: Custody) -> None:
    custody.answers("proposal", {"words": ["kind: CUSTOMER_DELETE"], "state": "REJECTED"})
    with answering("Reject", "wrong person"):
        done = run(bag)
    assert states(done) == {"show": "success", "ask": "success", "decide": "success", "carry_out": "skipped"}
    assert custody.calls() == [SHOW, f"proposal reject {PROPOSAL} --as checker --note wrong person --json"]


def test_what_the_service_refuses_fails_the_task_in_its_words(
    bag: DagBag, custody: Custody, capfd: pytest.CaptureFixture[str]
) -> None:
    """As for the maker of the proposal: the service decides, and Airflow only says so."""
    custody.answers("proposal", {"words": [], "error": "NotPermitted"})
    custody.exits("proposal", 0, 2)
    with answering("Approve", "mine"):
        done = run(bag)
    assert states(done)["decide"] == "failed" and states(done)["carry_out"] == "upstream_failed"
    calls = custody.calls()
    assert len(calls) == 3 and calls[2].startswith("alert raise --rule TASK_FAILED --subject customer_maintenance.decide ")
    assert "a person must put it right" in "".join(capfd.readouterr())


def test_who_did_not_say_his_name_decides_nothing(bag: DagBag, custody: Custody, monkeypatch: pytest.MonkeyPatch) -> None:
    custody.answers("proposal", {"words": []})
    monkeypatch.setattr(Person, "get_name", lambda self: "")
    with answering("Approve", "nobody"):
        done = run(bag)
    assert states(done)["decide"] == "failed"
    assert [call.split()[1] for call in custody.calls()] == ["show", "raise"]


def test_a_case_is_decided_in_the_same_way_and_nothing_is_left_to_carry_out(bag: DagBag, custody: Custody) -> None:
    custody.answers("proposal", {"words": ["kind: case", "≠ amount 100 101"], "state": "APPROVED"})
    with answering("Approve", "seen the voucher") as asked:
        done = run(bag, "case_approvals")
    assert states(done) == {"show": "success", "ask": "success", "decide": "success"}
    assert custody.calls() == [SHOW, f"proposal approve {PROPOSAL} --as checker --note seen the voucher --json"]
    ((subject, body, _),) = asked
    assert "about a case" in subject and "≠ amount 100 101" in body


@pytest.mark.parametrize(("dag_id", "of"), [("rule_approvals", "of a rule"), ("master_data_approvals", "of master data")])
def test_a_rule_or_a_holiday_is_decided_in_the_same_way(bag: DagBag, custody: Custody, dag_id: str, of: str) -> None:
    custody.answers("proposal", {"words": ["kind: rule", "3 breaks would vanish"], "state": "REJECTED"})
    with answering("Reject", "not yet") as asked:
        done = run(bag, dag_id)
    assert states(done) == {"show": "success", "ask": "success", "decide": "success"}
    assert custody.calls() == [SHOW, f"proposal reject {PROPOSAL} --as checker --note not yet --json"]
    ((subject, body, _),) = asked
    assert of in subject and "3 breaks would vanish" in body
