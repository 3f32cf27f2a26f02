"""A watch list is let in by two people; the next cut-off seals it, and that day's compliance compares every open account with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from custody.ports import Clock, Register
from custody.services.four_eyes import DecisionKind, propose
from custody.watch_list import KIND

WATCH_LIST = DecisionKind(KIND, "watch_list.propose", "watch_list.approve")


def propose_list(register: Register, clock: Clock, actor: str, said: Mapping[str, Any], note: str) -> str:
    """``said``: as custody.watch_list.read_list gives it; returns the proposal's id. Raises NotPermitted."""
    return propose(register, clock, actor, WATCH_LIST, str(said["list"]), said, note)
