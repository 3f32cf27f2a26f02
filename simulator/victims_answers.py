"""Results that a platform does not answer, or disputes. Its answer depends on what the bank writes, so that the world only says how it
will answer; whoever plays the parties does it (console.platform_answer)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from schemas.exchange import result_name
from simulator.victim import Expect, Scene, Victim, tomorrow

# By kind of fault, what the platform does with the result that a label names.
ANSWERS = {"result_unanswered": "SILENT", "result_disputed": "DISPUTED"}


def unanswered(scene: Scene) -> Iterator[Victim]:
    """The platform never confirms the day's result: due by the end of the next bank business day."""
    known = tomorrow(scene.business_days_on(scene.day, 1))
    if scene.day + timedelta(days=scene.days_left) >= known:
        yield _answered(scene, "RESULT_UNCONFIRMED", known_in=(known - scene.day).days)


def disputed(scene: Scene) -> Iterator[Victim]:
    """The platform answers the day's result the day after, and disputes it: by a row of its own where it was told of one."""
    if scene.days_left:
        yield _answered(scene, "RESULT_DISPUTED", known_in=1)


def _answered(scene: Scene, rule: str, known_in: int) -> Victim:
    name = result_name(scene.platform, scene.day, 1)
    return Victim(
        party=scene.platform,
        keys={"result": name},
        expects=(Expect(scene.platform, "RESULT", rule, f"RESULT|{name}"),),
        known_by=scene.day + timedelta(days=known_in),
    )
