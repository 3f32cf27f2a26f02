"""What only `make soak` runs: it proves what quicker tests prove too, on more, or takes minutes of processor time."""

from __future__ import annotations

import os

import pytest


def in_soak_only(costs: str) -> pytest.MarkDecorator:
    """``costs``: in words, what keeps it out of `make test`."""
    return pytest.mark.skipif("CUSTODY_SEEDS" not in os.environ, reason=f"{costs}: make soak runs it")
