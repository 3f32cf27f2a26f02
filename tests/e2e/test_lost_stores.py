"""A keyed store that was emptied or put back is not filled up in silence, and an older day does not overwrite a newer one's."""

from __future__ import annotations

import shutil

import pytest
from instance_kit import opened
from kill_kit import CopyOf, TwoDays

from custody.errors import StopRun
from custody.steps import STEPS
from schemas.store_keys import WATERMARK


def test_the_day_after_an_emptied_store_is_not_projected(two_days: TwoDays, fresh: CopyOf) -> None:
    home, on = fresh(two_days.home), two_days.days[2]
    shutil.rmtree(home / "keyed")
    with opened(home) as instance:
        instance.deliver(two_days.world, on)
        instance.run_day(on, STEPS[: STEPS.index("project")])
        with pytest.raises(StopRun, match=f"holds no day, not {two_days.days[1]}"):
            instance.step("project", on)
        assert list(instance.wiring.keyed.scan(WATERMARK, b"", b"\xff" * 8)) == []


def test_an_older_days_landing_is_not_repeated_over_a_newer_one(two_days: TwoDays, fresh: CopyOf) -> None:
    home = fresh(two_days.home)
    with opened(home) as instance:
        before = instance.keyed_rows()["customer"]
        with pytest.raises(StopRun, match=f"{two_days.days[1]} has landed"):
            instance.step("land", two_days.days[0], "a new layout")
        assert instance.keyed_rows()["customer"] == before
