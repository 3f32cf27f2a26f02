"""How large each platform is, and which platforms are made together.

A block is a run of neighbouring platforms: one process makes it through all days, and the gateway and the channels send one
batch for each block. Blocks follow from the configuration alone, so no file depends on how many processes there are; and
a block is about as large in a large world as in a small one, so neither does the memory of a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from custody.money import split_largest_remainder

MAX_BLOCKS = 99  # as many batches as a file's name can number
BLOCK_MOVEMENTS = 100_000  # a day, about: what one batch of the gateway holds
MOST_MOVEMENTS = 2 * BLOCK_MOVEMENTS * MAX_BLOCKS  # a day: beyond it a block takes more memory than a process should

# Scripted stories happen on the smallest platform too; with fewer movements a day it would have no life.
LEAST_MOVEMENTS = 30
# Of platforms asked for by their movements: a few are large, most are small.
_WEIGHTS = (1, 1, 1, 2, 2, 3, 4, 8)
# What lenders and loans of such a platform make on its busiest day stays below its movements; recharges make up the rest.
# (A loan is bid for by a share of all lenders, so what a lender does follows from the number of loans.)
_MOVEMENTS_A_LENDER = 8
_MOST_LOANS, _LENDERS_A_LOAN = 6, 4


@dataclass(frozen=True, slots=True)
class PlatformSize:
    """``movements`` are for each day, and exact unless its loans alone make more; None: what its lenders and loans make."""

    lenders: int
    loans: int
    movements: int | None = None

    @property
    def weight(self) -> int:
        """Movements a day, about."""
        return self.movements or 3 * (self.lenders + self.loans)


def sizes_by_movements(*, seed: int, platforms: int, movements: int) -> tuple[PlatformSize, ...]:
    """Platforms that together make ``movements`` a day. Raises ValueError when they are too many, or too few for so many platforms."""
    if movements > MOST_MOVEMENTS:
        raise ValueError(f"{movements} transactions a day are more than {MAX_BLOCKS} batches may hold: at most {MOST_MOVEMENTS}")
    spare = movements - platforms * LEAST_MOVEMENTS
    if spare < 0:
        raise ValueError(
            f"{movements} transactions a day are too few for {platforms} platforms: each makes at least {LEAST_MOVEMENTS}; "
            "ask for more transactions, fewer platforms or fewer days"
        )
    weights = [Random(f"{seed}|size|{number}").choice(_WEIGHTS) for number in range(1, platforms + 1)]
    extra = split_largest_remainder(spare, weights, [f"{number:06d}" for number in range(platforms)])
    return tuple(_size(LEAST_MOVEMENTS + more) for more in extra)


def _size(movements: int) -> PlatformSize:
    lenders = max(1, (movements - LEAST_MOVEMENTS) // _MOVEMENTS_A_LENDER)
    return PlatformSize(lenders, max(1, min(_MOST_LOANS, lenders // _LENDERS_A_LOAN)), movements)


def blocks(sizes: Sequence[PlatformSize], count: int | None = None) -> list[range]:
    """Numbers of platforms (from 1), cut into ``count`` blocks of about equal weight; None: as few as may hold them."""
    total = sum(size.weight for size in sizes)
    wanted = min(MAX_BLOCKS, len(sizes), -(-total // BLOCK_MOVEMENTS)) if count is None else count
    ends: list[int] = []
    reached = 0
    for number, size in enumerate(sizes, start=1):
        reached += size.weight
        # A block ends where its share of the weight is reached, and early enough that every later one has a platform.
        left = wanted - len(ends) - 1
        if reached * wanted >= total * (len(ends) + 1) or len(sizes) - number == left:
            ends.append(number)
        if len(ends) == wanted:
            ends[-1] = len(sizes)
            break
    return [range(first + 1, last + 1) for first, last in zip([0, *ends], ends, strict=False)]
