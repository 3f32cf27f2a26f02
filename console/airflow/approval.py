"""A person's decision asked for in Airflow's Required Actions, and made by our service.

Airflow only carries the answer (design.md §4.8): who may decide, that nobody approves his own work, and that a decision is made once is
`custody proposal approve` and `reject`, run with the answering user's name as the actor. A refusal there fails the task
with the service's words; clearing both tasks asks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.exceptions import AirflowFailException

from console.airflow.defaults import dag_settings
from console.airflow.tasks import CustodyCommand

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

# The proposal that a run was started with, as a template.
PROPOSAL = "{{ (dag_run.conf or {}).get('proposal_id', '') }}"
APPROVE, REJECT = "Approve", "Reject"
_NOTE = "note"
# A line for each line: Airflow's page runs the lines of a block of code together.
_SHOWN = "{% for line in ti.xcom_pull(task_ids='show')['words'] if line.strip() %}- `{{ line.strip() | replace('`', \"'\") }}`\n{% endfor %}\n"
_VERBS = {APPROVE: "approve", REJECT: "reject"}


class AskForDecision(HITLOperator):  # type: ignore[misc]  # airflow is not type-checked here
    """Waits for a person to approve or reject, with a note; returns the answer. There is no default and no time-out: nothing
    is ever approved by silence."""

    def __init__(self, *, subject: str, body: str, **kwargs: Any) -> None:
        note = Param(
            "",
            type="string",
            maxLength=400,
            title="why / 理由",
            description="Goes into the audit chain for ever: no names, numbers or cards of persons. / 永久留存，请勿填写个人信息",
        )
        # Airflow hands the DAG's own params on to each operator: the answer's form is not that of the run.
        super().__init__(subject=subject, body=body, options=[APPROVE, REJECT], **{**kwargs, "params": {_NOTE: note}})


class MakeDecision(CustodyCommand, SkipMixin):  # type: ignore[misc]  # airflow is not type-checked here
    """`custody proposal approve` or `reject` of ``proposal``, by the person who answered the task ``answered``.

    What follows is skipped after a rejection.
    """

    inherits_from_skipmixin = True
    template_fields: Sequence[str] = (*CustodyCommand.template_fields, "proposal")

    def __init__(self, *, proposal: str, answered: str, **kwargs: Any) -> None:
        super().__init__(command=("proposal",), dated=False, **kwargs)
        self.proposal = proposal
        self.answered = answered

    def execute(self, context: Context) -> dict[str, Any]:
        answer = context["ti"].xcom_pull(task_ids=self.answered)
        person = (answer["responded_by_user"] or {}).get("name")
        if not person:
            raise AirflowFailException("Airflow does not say who answered, so nothing is decided / 无法确认答复人，不予处理")
        (chosen,) = answer["chosen_options"]
        note = str((answer["params_input"] or {}).get(_NOTE, ""))
        self.command = ("proposal", _VERBS[chosen], self.proposal, "--as", person, "--note", note)
        result = super().execute(context)
        if chosen == REJECT:
            self.skip(ti=context["ti"], tasks=context["task"].get_direct_relatives(upstream=False))
        return result


def approval_settings(english: str, chinese: str, doc: str, topic: str, or_page: tuple[str, str] = ("", "")) -> dict[str, Any]:
    """What every DAG has that asks a second person about one proposal: a person starts it with the proposal's number.

    ``or_page``: where the number stands besides, in both languages.
    """
    return dag_settings(
        english=english,
        chinese=chinese,
        doc=doc,
        tags=[topic, "approval"],
        due_within=timedelta(days=1),
        dated=False,
        asks={
            "proposal_id": Param(
                type="string",
                pattern="^[0-9a-f]{16}$",
                title="proposal / 提案编号",
                description=f"From `custody proposal list`{or_page[0]}. / 见 `custody proposal list`{or_page[1]}",
            )
        },
        # One that waits for its second person must not hold up the others.
        at_once=16,
    )


def approval(proposal: str, title: str, at_hand: str = "") -> list[BaseOperator]:
    """Three tasks in a row: the proposal is shown, a person answers, our service decides as that person. ``title`` is what the
    question is called, in both languages; ``at_hand``: Markdown below what is shown, such as links to what is decided on."""
    return [
        CustodyCommand(task_id="show", command=("proposal", "show", proposal), dated=False),
        AskForDecision(
            task_id="ask",
            subject=f"{title}: approve or reject / 待复核 {proposal}",
            body=_SHOWN + at_hand,
        ),
        MakeDecision(task_id="decide", proposal=proposal, answered="ask"),
    ]
