"""A fault that could be planted, and what those who look for one see: one party (or one platform's books) on one date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from random import Random

from custody.calendar import SettlementCalendar, at
from custody.names import BreakKind, FileType, TxnStatus, TxnType
from schemas.exchange import ExchangeName
from simulator.edits import CoreEdit, EEdit, FileKey, RowEdit, RowKey, SetKey
from simulator.movement import P_MARKETING, SUSPENSE, DayTruth, Holder, Movement, PlatformDay, Row
from simulator.parties import SendingParty

CORE = "CORE"  # the bank core, as the party that errs
# Movements near midnight are no victims: within the cut-off window a lone row is rightly carried forward, not a break.
_FIRST_VICTIM, _LAST_VICTIM = time(1, 0), time(23, 0)


@dataclass(frozen=True, slots=True)
class Expect:
    """One finding: whose, between which sides (AB, BC, B; FILE and INTAKE for files), of which kind, about what."""

    platform: str
    sides: str
    kind: str
    subject: str

    @property
    def about(self) -> str:
        return f"{self.platform}|{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A cell to be spoilt in the encoded file: its row's key, its column, and what makes the bytes of its text and encoding."""

    file: FileKey
    key: RowKey
    column: str
    spoil: Callable[[str, str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A possible fault. ``party``: who errs. ``keys``: the business keys of what is spoilt. ``rejected``: rows that landing must
    refuse (the last one with the key), which is expected besides ``expects`` once their line is known. ``allows``: findings that may or
    may not follow. ``follows``: findings that follow, but that other faults may bring about as well, or that a file that comes
    late puts off. ``spoils``: the kind by which ``file`` is spoilt, where it is not this fault's own. ``touches``: what no other fault may touch, beside all that is expected, allowed or edited. ``sound``: files
    that must not be spoilt as a whole, though none of their rows is edited. ``alone``: the file whose number of rows is this fault's alone."""

    party: str
    keys: dict[str, object]
    expects: tuple[Expect, ...]
    known_by: date
    allows: tuple[Expect, ...] = ()
    follows: tuple[Expect, ...] = ()
    rows: tuple[tuple[FileKey, RowEdit], ...] = ()
    core: tuple[tuple[date, CoreEdit], ...] = ()
    e_core: tuple[tuple[date, EEdit], ...] = ()
    lines: tuple[Line, ...] = ()
    rejected: tuple[tuple[FileKey, RowKey], ...] = ()
    file: FileKey | None = None
    spoils: str | None = None
    whole_set: SetKey | None = None
    touches: tuple[str, ...] = ()
    sound: tuple[FileKey, ...] = ()
    alone: FileKey | None = None


@dataclass(frozen=True)
class Scene:
    """``own`` is the platform whose books are looked at, ``party`` the sender looked at (the platform itself, where a kind is
    about books). ``amount_minor``: the size that was asked for.
    ``batches``: in how many the gateway and the channels send each date."""

    days: list[DayTruth]
    index: int
    party: SendingParty
    parties: dict[str, SendingParty]
    rng: Random
    amount_minor: int | None
    calendar: SettlementCalendar
    batches: int

    @property
    def truth(self) -> DayTruth:
        return self.days[self.index]

    @property
    def day(self) -> date:
        return self.truth.day

    @property
    def platform(self) -> str:
        return self.party.party

    @property
    def own(self) -> PlatformDay:
        return self.truth.platforms[self.platform]

    @property
    def before(self) -> PlatformDay | None:
        return self.days[self.index - 1].platforms[self.platform] if self.index else None

    @property
    def gateway(self) -> str:
        return next(p.party for p in self.parties.values() if FileType.INSTRUCTION in p.file_types)

    @property
    def days_left(self) -> int:
        return len(self.days) - 1 - self.index

    def size(self, least: int, below: int) -> int:
        """The size asked for, else one drawn, in minor units."""
        return self.amount_minor if self.amount_minor is not None else self.rng.randrange(least, below)

    def key(self, file_type: FileType, party: str | None = None, day: date | None = None) -> FileKey:
        return party or self.platform, file_type.value, day or self.day

    def when(self, first: int = 9, last: int = 20) -> Row:
        moment = at(self.day, time(self.rng.randrange(first, last), self.rng.randrange(60), self.rng.randrange(60)))
        return {"event_time": moment}

    def number(self) -> str:
        """A request number that the world does not use."""
        return f"{self.platform}{self.day:%Y%m%d}{self.rng.randrange(9_000_000, 9_999_999):07d}"

    def ab(self, kind: str, subject: str) -> Expect:
        return Expect(self.platform, "AB", kind, subject)

    def bc(self, kind: str, subject: str) -> Expect:
        return Expect(self.platform, "BC", kind, subject)

    def b(self, kind: str, subject: str) -> Expect:
        return Expect(self.platform, "B", kind, subject)

    def chains(self, *holders: Holder | None) -> tuple[Expect, ...]:
        """That these accounts' balances do not follow from the platform's own movements; of those that its balances show."""
        shown = sorted({holder for holder in holders if holder is not None and holder != SUSPENSE})
        return tuple(Expect(self.platform, "A", BreakKind.BALANCE_CHAIN.value, f"SHADOW|{role}.{user}") for role, user in shown)

    def chains_of(self, move: Movement, *others: Holder | None) -> tuple[Expect, ...]:
        """The same of all accounts that a movement touches, and of ``others``."""
        return self.chains(move.payer, move.payee, P_MARKETING if move.coupon_minor else None, *others)

    def claimed(self, *types: TxnType) -> list[Movement]:
        """Movements in the platform's TXN file that may be spoilt; of all types when none is named. What is still under way
        is spared: it comes again under the same number."""
        first, last = at(self.day, _FIRST_VICTIM), at(self.day, _LAST_VICTIM)
        timely = [m for m in self.own.txn if first <= m.event_time <= last and (not types or m.txn_type in types)]
        return [m for m in timely if m.status is TxnStatus.SUCCESS]

    def balance_row(self, holder: Holder) -> Row | None:
        return next((row for row in self.own.balances if (row["role"], row["user_no"]) == holder), None)

    def users(self, role: str) -> list[str]:
        return [str(row["user_no"]) for row in self.own.balances if row["role"] == role]

    def later(self) -> Iterator[tuple[date, PlatformDay]]:
        """The platform's days from this one on."""
        for truth in self.days[self.index :]:
            yield truth.day, truth.platforms[self.platform]

    def can_spare(self, holder: Holder, amount_minor: int) -> bool:
        """Whether the account has that much available from the end of this day to the end of the world, whatever it pays:
        what is taken from it then brings no other movement to a halt. It stays open to the end."""
        opening: int | None = None
        for index in range(self.index, len(self.days)):
            own = self.days[index].platforms[self.platform]
            row = next((r for r in own.balances if (r["role"], r["user_no"]) == holder), None)
            if row is None:
                return False
            closing = row["available_minor"]
            assert isinstance(closing, int)
            paid = sum(m.amount_minor for m in own.instructions if m.payer == holder)
            if closing < amount_minor or (opening is not None and opening - paid < amount_minor):
                return False
            opening = closing
        return True

    def business_days_on(self, start: date, number: int) -> date:
        day = start
        for _ in range(number):
            day = self.calendar.next_business_day(day)
        return day


def file_name(key: FileKey, batch: int = 1) -> str:
    """The name of a sound world's file."""
    return str(ExchangeName(key[0], key[1], key[2], batch, 1))


def row_place(file: FileKey, key: RowKey) -> str:
    """What stands for a row among the things that two faults may not both change."""
    return f"ROW|{file[0]}|{file[1]}|{file[2]}|{'|'.join(str(part) for part in key)}"


def tomorrow(day: date) -> date:
    return day + timedelta(days=1)
