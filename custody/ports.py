"""What the domain asks of the outside, as Protocols. `connectors` implements them; services receive them.

Records are plain mappings of column name to text, int, bool, date or aware datetime. The register's tables are named in
connectors/register_tables.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from custody.external_hosts import ExternalHost
from custody.personal import Said
from custody.protection import Protection
from custody.transaction_query import Place, TxnQuery

if TYPE_CHECKING:
    from custody.services.party_keys import PartyKey

Row = dict[str, Any]
# A keyed-store row: (row key, columns). Keys sort as bytes, in every store alike.
StoreRow = tuple[bytes, dict[bytes, bytes]]


class DuplicateRow(Exception):
    """An insert met a row with the same key. A value for the caller to weigh, not a failure of the run."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware. Only facts about the run itself (who, when) may use it; never a figure or a file's content."""


@dataclass(frozen=True)
class Within:
    """In place of a column's value: those from ``first`` to ``last``, both included; None: without that bound."""

    first: object = None
    last: object = None


class RegisterTx(Protocol):
    """One register transaction. Everything done through it commits together, or not at all."""

    def get(self, table: str, **key: object) -> Row | None:
        """The one row with these column values, or None. More than one is a programming error."""

    def find(self, table: str, order_by: Sequence[str] = (), **equals: object) -> list[Row]:
        """All rows with these column values, ordered; a value may be a list, meaning any of them, or a Within."""

    def page(
        self,
        table: str,
        order_by: Sequence[str],
        start: int,
        limit: int,
        at_most: Mapping[str, object] | None = None,
        unlike: Mapping[str, object] | None = None,
        beyond: Sequence[object] | None = None,
        /,
        **equals: object,
    ) -> list[Row]:
        """At most ``limit`` rows from the ``start``-th (0 is the first) of those with these column values, whose columns of ``at_most``
        are not above its values and those of ``unlike`` are others. A column in ``order_by`` with ``-`` before it is ordered downwards, one
        of words that have an order by that; null comes before everything, unless the column says that it comes last; the primary key decides
        among equals.

        ``beyond``: a row's values of the columns of ``order_by``: only rows that come after it, however many come before. Raises
        UsageError for values that such columns never have."""

    def count(
        self, table: str, by: Sequence[str], unlike: Mapping[str, object] | None = None, /, **equals: object
    ) -> dict[tuple[Any, ...], int]:
        """How many such rows there are, for each combination of the values of columns ``by``, in their order."""

    def total(self, table: str, column: str, /, **equals: object) -> int:
        """The sum of a column of numbers over such rows."""

    def insert(self, table: str, row: Mapping[str, object]) -> None:
        """Raises DuplicateRow; the transaction stays usable."""

    def insert_all(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Rows of the same columns at once, all or none; otherwise as ``insert``."""

    def update(self, table: str, key: Mapping[str, object], values: Mapping[str, object]) -> int:
        """Returns the number of rows changed."""

    def update_all(self, table: str, key: str, changes: Mapping[object, Mapping[str, object]]) -> None:
        """Set columns of many rows, by the value of their column ``key``."""

    def delete(self, table: str, **key: object) -> int: ...

    def moment(self) -> str:
        """When what this transaction does happens: UTC+8, to the microsecond, as the register writes times."""

    def audit(self, actor: str, action: str, subject: str, details: Mapping[str, object]) -> None:
        """Append one event to the audit chain, in this transaction."""


class Register(Protocol):
    def transaction(self) -> AbstractContextManager[RegisterTx]:
        """Serialised with other writers; commits when the block ends without an exception, else rolls back."""


class KeyedStore(Protocol):
    """An ordered key-value store with columns: LMDB or HBase (design.md §2). Every write can be repeated.

    Keys have 1 to 511 bytes, rows at least one column: anything else raises StopRun. A store that is away raises RetryLater,
    one whose tables are missing or of another schema version StopRun.

    ``fence`` is the writer's lease token, checked with each batch. Once a newer token has written to the table, an older one
    raises LeaseLost; once any has, a writer without one raises StopRun. So a writer who slept cannot put old rows back. (In
    HBase a batch that was already under way may still add rows that nobody has written since; it covers none.)
    """

    def put_many(self, table: str, rows: Iterable[StoreRow], fence: int | None = None) -> int:
        """Insert or replace whole rows, in bounded batches; returns how many."""

    def get(self, table: str, key: bytes) -> dict[bytes, bytes] | None: ...

    def get_many(self, table: str, keys: Iterable[bytes]) -> Iterator[StoreRow]:
        """Those of the rows that are there, in no order, asked for in bounded batches."""

    def scan(self, table: str, start: bytes, stop: bytes) -> Iterator[StoreRow]:
        """Rows with start <= key < stop, in key order."""

    def delete_many(self, table: str, keys: Iterable[bytes], fence: int | None = None) -> int:
        """Delete whole rows, in bounded batches; returns how many were there."""

    def clear(self, table: str, fence: int | None = None) -> None:
        """Delete all rows of a table."""

    def adopt_version(self) -> None:
        """Say that all that the store holds has this program's schema version."""

    def close(self) -> None: ...


class LedgerReader(Protocol):
    """What the keyed store knows of one owner at the end of ``up_to``; nobody reads beyond it, also while it is written.

    Rows are typed as in the lake: dates as date, times as aware datetime, amounts as int. A row of something that changes says
    in ``as_of`` since when it has stood like that.
    """

    def up_to(self) -> date | None:
        """The last custody date that is wholly in the store; None while there is none. Fixed when it is first asked for."""

    def sub_account(self, account: str) -> Row | None:
        """The master row with its balances."""

    def accounts_of(self, customer_id: str) -> list[Row]:
        """A customer's sub-accounts, by id."""

    def account_history(self, customer_id: str) -> list[Row]:
        """Each state that each sub-account of his ever had, by id and date (``as_of``): opened, closed, held by another."""

    def balance_at(self, account: str, on: date) -> Row | None:
        """available_minor, frozen_minor, unsettled_minor at the end of ``on``, and the ``as_of`` they have stood since; None
        before its first. Raises UsageError for a date beyond ``up_to``."""

    def movements(self, account: str, first: date, last: date) -> Iterator[Row]:
        """The journal's moves of each part of an account, in order of posting. Raises UsageError beyond ``up_to``."""

    def transaction(self, platform: str, request_no: str) -> list[Row]:
        """Every leg of a request, with each attempt of it and what became of that, by leg and attempt."""

    def leg(self, platform: str, request_no: str, leg: int) -> list[Row]:
        """The attempts of one leg."""

    def unposted(self, account: str, first: date, last: date) -> Iterator[Row]:
        """Attempts of legs on an account that moved nothing on these dates: refused, waiting, repeated, failed or under way."""

    def loan(self, platform: str, loan_id: str) -> Row | None: ...

    def loan_transactions(self, platform: str, loan_id: str) -> Iterator[Row]:
        """Every attempt of every leg that names the loan, in order of processing."""

    def claims_of_loan(self, platform: str, loan_id: str) -> list[Row]:
        """By claim id, those of which nothing is left too."""

    def claims_of_holder(self, holder: str) -> list[Row]:
        """By loan and claim id, those of which nothing is left too."""

    def holds_of(self, account: str) -> list[Row]:
        """What is frozen, by hold id."""


class SealedTransactions(Protocol):
    """The transactions and entries of every posted date as its newest version has them, in the lake: for what has no owner to be
    looked up by. Read in bounded pieces."""

    def find(self, query: TxnQuery, after: Place | None) -> Iterator[Row]:
        """The transactions that match, in order of place, those beyond ``after``."""

    def moves(self, platform: str, entry_nos: Collection[int]) -> list[Row]:
        """The journal's moves of these entries, in order."""


class StagedFile(Protocol):
    """A file on its way into the archive, held by one process at a time. What a run appended, the next one goes on from."""

    @property
    def size(self) -> int:
        """Plain bytes that it has so far."""

    def append(self, data: bytes) -> None: ...

    def restart(self) -> None:
        """Drop what it has."""

    def keep(self) -> tuple[str, str]:
        """It is whole: (SHA-256, reference), flushed to disk. Nothing can be appended any more."""


class Archive(Protocol):
    """Raw bytes as they arrived or left: read-only, encrypted for each file, named by their digest."""

    def keep(self, data: bytes, sha256: str) -> str:
        """Store once, flushed to disk; returns the reference. Keeping the same bytes again is harmless."""

    def stage(self, party: str, name: str) -> AbstractContextManager[StagedFile]:
        """A party's file that arrives piece by piece, under a name of its own. Raises BusyElsewhere while another process takes
        files of the same party."""

    def forget_stages(self, party: str) -> None:
        """Drop what a party's files left behind that never became whole."""

    def collecting(self, party: str) -> AbstractContextManager[None]:
        """The right to take a party's files, for one process at a time; raises BusyElsewhere while another has it."""

    def leaving(self, party: str) -> AbstractContextManager[None]:
        """The right to deliver to a party, for one process at a time; raises BusyElsewhere while another has it."""

    def read(self, reference: str) -> bytes:
        """Raises SealBroken when what is stored does not decrypt to the digest it is named by."""

    def chunks(self, reference: str) -> Generator[bytes]:
        """The same, piece by piece; raises SealBroken behind the last one at the latest."""


@dataclass(frozen=True)
class TakenFile:
    """A file that the collector moved out of a party's reach. What was taken together has the same ``mark``."""

    mark: str
    name: str


@dataclass(frozen=True)
class Inbox:
    """A party's folder as it is found. ``waiting``: complete files in in/ with their bytes; ``taken``: of them what was moved aside and
    not yet removed; ``unsafe``: names in in/ that are no plain files or that we do not take, never opened."""

    waiting: Mapping[str, int]
    taken: Sequence[TakenFile]
    unsafe: Sequence[str]


@dataclass(frozen=True)
class Outgoing:
    """A file on its way out; ``pieces(start)`` is its content from there on."""

    size: int
    sha256: str
    pieces: Callable[[int], Iterable[bytes]]


@dataclass(frozen=True)
class Lying:
    """A file that lies in a party's out/. ``was_read``: somebody has read it since it was put there; a host that keeps no times of
    access never says so, and one that does says nothing of a reading in the same second."""

    size: int
    was_read: bool


class Drop(Protocol):
    """The outreach gateway's SFTP drop, as the bank's collector sees it: one folder for each party. May be used by several threads.

    Every method raises RetryLater while the host is away.
    """

    def parties(self) -> list[str]:
        """Those that drop with us."""

    def dialled(self) -> list[str]:
        """Parties that are not closed and whose own hosts are dialled, and may be just now."""

    def held_back(self) -> Mapping[str, str]:
        """Parties that are not closed and whose own hosts are not dialled just now, each with the reason."""

    def reachable(self, party: str) -> bool:
        """False for a party whose host failed and is not to be dialled just now."""

    def inbox(self, party: str) -> Inbox:
        """Unfinished uploads are not listed."""

    def take(self, party: str, name: str, mark: str) -> bool:
        """Move a waiting file, in one piece, to where its sender cannot reach it; False when it is not there (any more)."""

    def give_back(self, party: str, name: str, mark: str) -> None:
        """Move it to in/ again; where its sender has put another under its name since, that one stays instead."""

    def pieces(self, party: str, name: str, mark: str, start: int) -> Generator[bytes, None, None]:
        """The bytes of a taken file from ``start`` on."""

    def remove(self, party: str, name: str, mark: str) -> None:
        """Remove a taken file; removing what is no longer there is harmless."""

    def deliver(self, party: str, name: str, content: Outgoing) -> None:
        """Write whole into the party's out/ folder: under a temporary name, read back there, then renamed. Repeating is harmless, and
        goes on from what an earlier try left under the temporary name."""

    def lying(self, party: str) -> Mapping[str, Lying]:
        """What lies in the party's out/ folder, by name."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Opened:
    """What became of an OpenPGP message: ``rule`` says why it is refused, None where its content may be taken."""

    rule: str | None
    figures: dict[str, object]


class OpenPgp(Protocol):
    """OpenPGP messages by the bank's own key and parties' public keys."""

    def open(
        self,
        message: Callable[[], Iterator[bytes]],
        wanted: frozenset[Protection],
        keys: Sequence[PartyKey],
        others: Callable[[], Iterable[PartyKey]],
        day: date,
        limit_bytes: int,
        into: Callable[[bytes], None],
    ) -> Opened:
        """Hand the content on piece by piece; it counts only when nothing is said against it in the end.

        ``message()`` is read from the beginning each time; ``keys`` are all that the sender ever had, ``others()`` those of everybody else.
        """

    def protect(
        self, content: Iterator[bytes], wanted: frozenset[Protection], keys: Sequence[PartyKey], into: Callable[[bytes], None]
    ) -> None:
        """A message to ``keys``, signed by the bank, piece by piece, as ``wanted`` says. Raises RetryLater."""


@dataclass(frozen=True)
class RemoteFile:
    """A name in a folder of a party's host; ``bytes`` is None for what is no plain file that we take. ``modified``: Unix time."""

    name: str
    bytes: int | None
    modified: int


class RemoteHosts(Protocol):
    """Parties' own SFTP hosts. May be used by several threads. Every method raises RetryLater for what another try may cure, StopRun
    where the host shows another key than the pinned one, has no safe algorithm or does not take our key. Names are of ``inbound``."""

    def listing(self, host: ExternalHost) -> list[RemoteFile]:
        """All but unfinished uploads, dot files among them."""

    def stat(self, host: ExternalHost, name: str) -> RemoteFile | None: ...

    def rename(self, host: ExternalHost, old: str, new: str) -> bool:
        """In one piece, and never over another file; False when it is not there."""

    def pieces(self, host: ExternalHost, name: str, start: int) -> Generator[bytes, None, None]: ...

    def remove(self, host: ExternalHost, name: str) -> None: ...

    def deliver(self, host: ExternalHost, name: str, content: Outgoing) -> None:
        """Into ``outbound``, as Drop.deliver does."""

    def lying(self, host: ExternalHost) -> Mapping[str, Lying]: ...

    def close(self) -> None: ...


class Secrets(Protocol):
    """Keys of this instance. Nothing else reads key files."""

    def identity_digest(self, id_type: str, id_no: str) -> str:
        """The customer id: keyed digest of identity type and number, the same on every platform (design.md §2.3)."""

    def index_digest(self, field: str, value: str) -> str:
        """What a customer is found by: keyed digest of a field's name and value; no digest of a customer id is the same."""

    def new_data_key(self) -> tuple[bytes, bytes]:
        """(key, wrapped key)"""

    def unwrap(self, wrapped: bytes) -> bytes: ...

    def seal(self, key: bytes, plain: bytes, context: bytes) -> bytes:
        """Deterministic authenticated encryption: the same input gives the same bytes, so writes can be repeated."""

    def open(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Raises SealBroken."""


class PersonStore(Protocol):
    """Customers' personal data, sealed under a key for each customer, and the index over it (design.md §4.6).

    Whoever writes holds the day's lease and hands in its fence. Every write can be repeated.
    """

    def said(self, customer_id: str) -> list[Said]:
        """By party and date; empty for whom nothing is kept."""

    def find(self, field: str, value: str) -> list[str]:
        """The customers of whom some party's last word has this value."""

    def keep(self, words: Iterable[tuple[str, Said]], fence: int) -> None:
        """(customer id, word): a party's word for a date takes the place of its earlier one for that date. Where a customer has none
        yet, he gets a key."""

    def pend(self, customer_id: str, reference: str, fields: Mapping[str, str | None], fence: int) -> None:
        """Keep what somebody proposes to write, until it is decided."""

    def pending(self, customer_id: str, reference: str) -> Mapping[str, str | None] | None: ...

    def drop_pending(self, customer_id: str, reference: str, fence: int) -> None: ...

    def move(self, old: str, new: str, fence: int) -> None:
        """All that was said of one customer becomes the other's, where the same party has not said something of that date."""

    def rows(self, customer_id: str) -> dict[str, list[StoreRow]]:
        """By store table: every row that holds something of his."""

    def destroy(self, customer_id: str, fence: int) -> None:
        """Delete the key with all that is sealed under it, and the index rows. (A store may keep the old bytes until it compacts.)"""


@dataclass(frozen=True)
class LeavingMessage:
    """A message on its way out. ``message_id`` is the same in every try: a gateway that knows it takes it once."""

    message_id: str
    address: str
    subject: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What a gateway said of one message. ``proof``: its own number for what it took; ``why``: what is against this message, which
    another try may cure (``later``) or not. Exactly one of them."""

    proof: str = ""
    why: str = ""
    later: bool = False


class MessageChannel(Protocol):
    """A gateway that takes messages: SMS, mail. ``repeats_safely``: a message that comes again under its id is not doubled."""

    repeats_safely: bool

    def send(self, message: LeavingMessage) -> Answer:
        """Raises RetryLater when the gateway is away and surely did not take it, AnswerLost when it may have."""


class CoreBank(Protocol):
    """The bank core's flows and balances, read once a custody date (design.md §2)."""

    def flows(self, core_date: date) -> Iterator[Row]: ...

    def balances(self, core_date: date) -> Iterator[Row]: ...
