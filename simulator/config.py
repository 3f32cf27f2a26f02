"""What a world is asked for: its size, its dates and its seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from simulator.parties import SendingParty, make_parties, profile
from simulator.volume import MAX_BLOCKS, PlatformSize, blocks, sizes_by_movements

_RANGES = (("platforms", 9_999), ("channels", 99), ("days", 3_660))
_OPTIONAL_RANGES = (("lenders", 999_999), ("loans", 99_999), ("transactions", 10**9), ("batches", MAX_BLOCKS))


@dataclass(frozen=True, kw_only=True)
class SimulationConfig:
    """Size of the world: ``lenders`` and ``loans`` of a middle-sized platform, or ``transactions`` (movements, as the gateway has them)
    about in all. ``batches``: in how many the gateway and the channels send each date; None: as few as the volume allows.
    ``e_account_platform``: the number of the platform whose core is in E_ACCOUNT form; None: no one's is. ``disclosures``: platforms
    publish their figures of each month. ``behaviours``: what simulator.behaviours tells of happens too. ``contract_change``: the date
    from which platforms of odd number pay the custody fee by other terms.

    Raises ValueError, in words for a person, when it is out of range or impossible.
    """

    platforms: int
    channels: int
    days: int
    start: date
    seed: int
    lenders: int | None = None
    loans: int | None = None
    transactions: int | None = None
    batches: int | None = None
    e_account_platform: int | None = None
    disclosures: bool = False
    behaviours: bool = False
    contract_change: date | None = None

    def __post_init__(self) -> None:
        for name, most in (*_RANGES, *_OPTIONAL_RANGES):
            value = getattr(self, name)
            if not (value is None and (name, most) in _OPTIONAL_RANGES) and not 1 <= value <= most:
                raise ValueError(f"{name} must be between 1 and {most}, not {value}")
        if (self.lenders is None) != (self.loans is None) or (self.lenders is None) == (self.transactions is None):
            raise ValueError("a world's size is either its lenders and loans or its transactions")
        if self.batches is not None and self.batches > self.platforms:
            raise ValueError(f"{self.batches} batches of {self.platforms} platforms: each batch holds one at least")
        if self.e_account_platform is not None and not 1 <= self.e_account_platform <= self.platforms:
            raise ValueError(f"the platform with e-accounts must be one of 1 to {self.platforms}, not {self.e_account_platform}")
        last = self.start + timedelta(days=self.days - 1)
        if self.contract_change is not None and not self.start < self.contract_change <= last:
            raise ValueError(f"contracts change after the first date and by {last}, not on {self.contract_change}")
        self.sizes()

    def sizes(self) -> tuple[PlatformSize, ...]:
        """Each platform's size, in order of their numbers."""
        if self.transactions is not None:
            return sizes_by_movements(seed=self.seed, platforms=self.platforms, movements=self.transactions // self.days)
        assert self.lenders is not None and self.loans is not None
        profiles = [profile(self.seed, number) for number in range(1, self.platforms + 1)]
        return tuple(PlatformSize(own.scaled(self.lenders), own.scaled(self.loans)) for own in profiles)

    def parties(self) -> list[SendingParty]:
        """Who takes part, platforms first."""
        return make_parties(
            self.platforms, self.channels, self.e_account_platform, self.disclosures, changes_on=self.contract_change
        )

    def blocks(self) -> list[range]:
        """Numbers of the platforms that are made together."""
        return blocks(self.sizes(), self.batches)
