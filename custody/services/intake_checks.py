"""What intake decides about a seal and about each file that it names, before anybody reads a row (domain.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from custody.file_life import (
    ACCEPTED,
    IN_FORCE,
    LATE,
    NOT_HELD,
    QUARANTINED,
    REFUSED,
    RESTATEMENT_PENDING,
    SAMPLE,
    SUPERSEDED,
    TAKEN,
)
from custody.names import MONTHLY
from custody.party_status import PartyStatus
from custody.ports import Opened, RegisterTx, Row
from custody.services.files import is_cut_off
from custody.services.organisations import DatedParty, Party, dated_party
from custody.services.receipts import Outcome

SAME_AGAIN = "SAME_AGAIN"
# The rules of a file with which nothing is wrong.
IN_ORDER = ("taken", "taken_overdue", "taken_late", "taken_held", "taken_sample")
# By these what came is not what its seal says, or may not stand under its name: it never was checked against the contract.
NOT_AS_SEALED = ("size", "digest", "digest_sm3", "same_name_other_digest")
# What is wrong with an OpenPGP message, or with there being one or none.
OPENPGP_RULES = "openpgp_"
# The register's integers have four octets on a cluster's store.
_MAX_INT = 2**31 - 1


class NameParts(Protocol):
    """The parts of a file's name."""

    @property
    def party(self) -> str: ...
    @property
    def file_type(self) -> str: ...
    @property
    def custody_date(self) -> date: ...
    @property
    def batch(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def is_seal(self) -> bool: ...
    @property
    def is_openpgp(self) -> bool:
        """Whether it says that the file is an OpenPGP message."""


class AnnouncedFile(Protocol):
    """What a seal says of one file."""

    @property
    def name(self) -> str: ...
    @property
    def layout(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def digest(self) -> tuple[str, str]:
        """(algorithm, digest in hexadecimal), see custody.digest.digest_of."""

    @property
    def totals(self) -> Mapping[str, str]: ...
    @property
    def batches(self) -> int | None: ...


class SealContent(Protocol):
    """What a seal says; ``custody_date`` is YYYY-MM-DD."""

    @property
    def party(self) -> str: ...
    @property
    def custody_date(self) -> str: ...
    @property
    def batch(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def files(self) -> Sequence[AnnouncedFile]: ...


@dataclass(frozen=True)
class ExchangeRules:
    """How names and seals are read and which layouts exist: declared outside the domain, handed in by the wiring.

    ``parse_seal`` returns in one line why the bytes are no seal, as more than ``max_seal_bytes`` never are; ``layouts_for`` the layout ids
    of a file type.
    """

    parse_name: Callable[[str], NameParts | None]
    parse_seal: Callable[[bytes], SealContent | str]
    max_seal_bytes: int
    layouts_for: Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Arrival:
    """What was found in the drop for an announced file: its archived bytes, or the rule that says why there are none.

    ``digest`` is by the seal's algorithm; of a file that did not come, both digests are the seal's. ``plain``: of an OpenPGP message that
    was opened, its content; ``locked``: why it was not.
    """

    sha256: str
    digest: str
    bytes: int
    archive_ref: str | None
    rule: str | None
    figures: dict[str, object]
    plain: Content | None = None
    locked: Opened | None = None


@dataclass(frozen=True)
class Content:
    bytes: int
    sha256: str
    archive_ref: str


def is_held(row: Row) -> bool:
    """Whether the same bytes are what is known already. Refused ones are judged anew, and those of which a key may have been registered
    since."""
    return row["state"] not in NOT_HELD and not str(row["rule"]).startswith(OPENPGP_RULES)


@dataclass(frozen=True)
class Seen:
    """What the register has that a seal is judged by, read together: with thousands of parties the register is what they all wait for.
    Two that are equal give the same judgement."""

    of: DatedParty | None
    rows: list[Row]
    is_cut_off: bool
    # Of the date and batch.
    promises: list[Row]

    @classmethod
    def read(cls, tx: RegisterTx, party: str, seal: NameParts, foreign: Sequence[str]) -> Seen:
        """``foreign``: names that the seal has no right to, as the register keeps them; rows of its own ones are of its date and batch."""
        at = {"party": party, "custody_date": seal.custody_date, "batch": seal.batch}
        rows = tx.find("file", (), **at) + (tx.find("file", file_name=list(foreign)) if foreign else [])
        return cls(dated_party(tx, party), rows, is_cut_off(tx, seal.custody_date), tx.find("expected_file", (), **at))


class Standing:
    """The same as it changes while file after file that the seal names is judged, and what is to be written of that."""

    def __init__(self, seen: Seen) -> None:
        self.is_cut_off = seen.is_cut_off
        self.promises: Mapping[str, Row] = {row["file_type"]: row for row in seen.promises}
        self.events: list[Row] = []
        self._rows = {(row["file_name"], row["sha256"]): row for row in seen.rows}
        self._there = frozenset(self._rows)
        self._changed: dict[tuple[str, str], dict[str, object]] = {}
        self._gone: list[tuple[str, str]] = []

    def content(self, name: str, sha256: str) -> Row | None:
        """None where nothing of this name has these bytes."""
        return self._rows.get((name, sha256))

    def contents(self, name: str) -> list[Row]:
        """Whatever came, or was announced, under this name."""
        return [row for (of, _), row in self._rows.items() if of == name]

    def versions(self, **equals: object) -> list[Row]:
        """Files that were taken, with these column values."""
        return [row for row in self._rows.values() if row["state"] in TAKEN and equals.items() <= row.items()]

    def put(self, name: str, sha256: str, values: Row) -> None:
        """The register is to have this of it; what it has besides stays."""
        key = name, sha256
        self._rows[key] = {"rule": None, **self._rows.get(key, {}), **values, "file_name": name, "sha256": sha256}
        self._changed.setdefault(key, {}).update(values)

    def drop(self, name: str, sha256: str) -> None:
        """The register is to have it no more."""
        key = name, sha256
        del self._rows[key]
        self._changed.pop(key, None)
        if key in self._there:
            self._gone.append(key)

    def write(self, tx: RegisterTx) -> None:
        """Once, in the transaction that found again what all this was judged by, or in the first one."""
        for name, sha256 in self._gone:
            tx.delete("file", file_name=name, sha256=sha256)
        fresh = [self._rows[key] for key in self._changed if key not in self._there]
        columns = dict.fromkeys(column for row in fresh for column in row)
        tx.insert_all("file", [{column: row.get(column) for column in columns} for row in fresh])
        for key, values in self._changed.items():
            if key in self._there:
                tx.update("file", {"file_name": key[0], "sha256": key[1]}, values)
        tx.insert_all("file_event", self.events)


def digest_rule(algorithm: str) -> str:
    """The rule of a file whose digest is not its seal's."""
    return "digest" if algorithm == "sha256" else f"digest_{algorithm}"


def printable(text: str, limit: int) -> str:
    """Text of a sender as register, receipts and logs may hold it: ASCII, escaped, bounded."""
    return text.encode("unicode_escape").decode("ascii")[:limit]


def register_name(party: str, name: str, parts: NameParts | None) -> str:
    """The name under which the register keeps it. What is no name of this party's own carries the party in front, so
    that nobody's file ever stands under another party's name."""
    if parts is not None and parts.party == party:
        return name
    return printable(f"{party}:{name}", 80)


def seal_fault(party: str, name: NameParts, content: SealContent | str) -> tuple[str, str, dict[str, object]] | None:
    """(state, rule, figures) of what makes the whole seal unusable: its data files are then left where they are."""
    if name.party != party:
        return REFUSED, "wrong_party", {"found": name.party, "expected": party}
    if isinstance(content, str):
        return QUARANTINED, "seal_unreadable", {"why": printable(content, 200)}
    if content.party != party:
        return REFUSED, "wrong_party", {"found": printable(content.party, 20), "expected": party}
    said = f"{printable(content.custody_date, 20)}/{content.batch:02d}/v{content.version}"
    expected = f"{name.custody_date.isoformat()}/{name.batch:02d}/v{name.version}"
    if said != expected:
        return REFUSED, "seal_name", {"found": said, "expected": expected}
    names = [f.name for f in content.files]
    if len(set(names)) < len(names):
        return QUARANTINED, "seal_unreadable", {"why": "a file is named twice"}
    if any(max(f.bytes, f.rows) > _MAX_INT for f in content.files):
        return QUARANTINED, "seal_unreadable", {"why": f"a number is larger than {_MAX_INT}"}
    return None


def own_name(rules: ExchangeRules, seal: NameParts, name: str) -> NameParts | None:
    """The parts of an announced name, when it is of the seal's own party, date, batch and version; else None."""
    parts = rules.parse_name(name)
    if parts is None or parts.is_seal:
        return None
    same = (parts.party, parts.custody_date, parts.batch, parts.version)
    return parts if same == (seal.party, seal.custody_date, seal.batch, seal.version) else None


def judge_file(
    standing: Standing, rules: ExchangeRules, of: DatedParty, today: date, parts: NameParts | None,
    file: AnnouncedFile, arrival: Arrival,
) -> Outcome:  # fmt: skip
    """What becomes of one announced file.

    A name is used up once a file under it was taken: other bytes are then quarantined. What was only refused, or was a sample, may
    come again under its name, and is judged anew.
    """
    now = of.on(today)
    name = register_name(now.party, file.name, parts)

    def outcome(state: str, rule: str, **figures: object) -> Outcome:
        return Outcome(name, arrival.sha256, state, rule, figures)

    if parts is None:
        return outcome(REFUSED, "name")
    same = standing.content(name, arrival.sha256)
    algorithm, expected = file.digest
    if same is not None and is_held(same) and expected == arrival.digest:
        return outcome(SAME_AGAIN, "same_again")
    if arrival.rule is not None:
        return outcome(REFUSED, arrival.rule, **arrival.figures)
    taken = [row["sha256"] for row in standing.contents(name) if row["state"] in TAKEN and row["sha256"] != arrival.sha256]
    if taken:
        return outcome(QUARANTINED, "same_name_other_digest", first=taken[0])
    if arrival.bytes != file.bytes:
        return outcome(REFUSED, "size", found=arrival.bytes, expected=file.bytes)
    if arrival.digest != expected:
        return outcome(REFUSED, digest_rule(algorithm), found=arrival.digest, expected=expected)
    if arrival.locked is not None and arrival.locked.rule is not None:
        return outcome(QUARANTINED, arrival.locked.rule, **arrival.locked.figures)
    return _judge_whole(standing, rules, now, of.on(parts.custody_date), today, parts, file, outcome)


def _judge_whole(
    standing: Standing, rules: ExchangeRules, now: Party, party: Party, today: date, parts: NameParts,
    file: AnnouncedFile, outcome: Callable[..., Outcome],
) -> Outcome:  # fmt: skip
    """The file is what its seal says: may this party send it, in this form, for this date, in this version? ``now``: the party as
    it is today, ``party``: as it is on the file's own date, whose contract counts."""
    if PartyStatus.CLOSED in (now.status, party.status):
        return outcome(REFUSED, "party_closed")
    is_sample = now.status == PartyStatus.ONBOARDING
    if party.status == PartyStatus.ONBOARDING and not is_sample:
        return outcome(REFUSED, "party_not_live", custody_date=parts.custody_date.isoformat())
    if parts.custody_date > today:
        return outcome(REFUSED, "future_date", custody_date=parts.custody_date.isoformat())
    agreed = party.contract["layouts"].get(parts.file_type, [])
    if file.layout not in agreed or file.layout not in rules.layouts_for(parts.file_type):
        known = ", ".join(agreed) or "-"
        return outcome(REFUSED, "unknown_layout", layout=printable(file.layout, 60), file_type=parts.file_type, known=known)
    if file.encoding != party.contract["encoding"]:
        return outcome(REFUSED, "encoding", encoding=printable(file.encoding, 20))
    if is_sample:
        return outcome(SAMPLE, "taken_sample")
    day, batch = parts.custody_date, parts.batch
    versions = standing.versions(party=party.party, file_type=parts.file_type, custody_date=day, batch=batch)
    wrapped = [row["sha256"] for row in versions if row["version"] == parts.version]
    if wrapped:
        # Of one version there is one file, whatever it is wrapped in.
        return outcome(QUARANTINED, "same_name_other_digest", first=wrapped[0])
    newer = [row["version"] for row in versions if row["version"] > parts.version]
    if newer:
        return outcome(REFUSED, "older_version", newer=max(newer))
    # A higher version of what is in force already restates nothing.
    same = [row for row in versions if row["state"] in IN_FORCE and row["sha256"] == outcome("", "").sha256]
    if same:
        return outcome(SAME_AGAIN, "same_content", first=same[0]["file_name"])
    if any(row["state"] in (*IN_FORCE, SUPERSEDED) for row in versions):
        return outcome(RESTATEMENT_PENDING, "restatement")
    # What is said of a month comes after its last date by its nature.
    is_late = standing.is_cut_off and parts.file_type not in MONTHLY
    if PartyStatus.SUSPENDED in (now.status, party.status):
        return outcome(LATE if is_late else ACCEPTED, "taken_held")
    if is_late:
        return outcome(LATE, "taken_late", custody_date=parts.custody_date.isoformat())
    return outcome(ACCEPTED, "taken")
