"""The drop as the exchange sees it: our own server, and beside it the hosts of parties that are dialled one by one.

A host that fails is left alone for a while, ever longer; one that shows another key than its contract pins, offers no algorithm that is
safe today or does not take our key is left alone until a person has looked (HOST_STOPPED), or its contract names it anew. What this
knows of a host is one row of the register, so that every process keeps to it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from custody.calendar import custody_date_of
from custody.digest import digest_of_json
from custody.errors import RetryLater, SettingsError, StopRun, UsageError
from custody.external_hosts import Claim, ExternalHost, external_host
from custody.party_status import PartyStatus
from custody.ports import Clock, Drop, Inbox, Lying, Outgoing, Register, RemoteFile, RemoteHosts, Row, TakenFile
from custody.services.access import SYSTEM, permitted_transaction
from custody.services.alerts import raise_alert
from custody.services.organisations import parties
from custody.services.outbound import DeliveryPolicy

STOPPED_RULE = "HOST_STOPPED"
# What we have claimed on a host where files may be renamed; a mark has no dot.
_TAKEN = ".taken."


def resume(register: Register, actor: str, party: str, note: str) -> None:
    """A person has looked: the party's host is dialled again with the next sweep. Raises UsageError, NotPermitted."""
    with permitted_transaction(register, actor, "host.resume", party) as tx:
        row = tx.get("dialled_host", party=party)
        if row is None:
            raise UsageError(f"nothing is known against a host of {party!r}")
        tx.delete("dialled_host", party=party)
        tx.audit(actor, "host.resume", party, {"reason": row["last_reason"], "note": note})


class DialledDrop:
    """Implements custody.ports.Drop over our own drop and parties' hosts."""

    def __init__(self, own: Drop, remote: RemoteHosts, register: Register, clock: Clock, policy: DeliveryPolicy) -> None:
        self._own, self._remote = own, remote
        self._register, self._clock, self._policy = register, clock, policy
        self._known: dict[str, ExternalHost] | None = None
        self._closed: frozenset[str] = frozenset()
        self._states: dict[str, Row] = {}

    def parties(self) -> list[str]:
        """Of those that drop with us; a folder of one whose host we dial is not looked at."""
        hosts = self._hosts()
        return [party for party in self._own.parties() if party not in hosts]

    def dialled(self) -> list[str]:
        """Reads contracts and what is known against hosts anew: a new sweep begins."""
        self._known = None  # a new sweep
        hosts = self._hosts()
        return [party for party in sorted(hosts) if party not in self._closed and self.reachable(party)]

    def held_back(self) -> Mapping[str, str]:
        """As `_held_back` says, without dialling."""
        found = {party: self._held_back(party, host) for party, host in self._hosts().items() if party not in self._closed}
        return {party: why for party, why in found.items() if why is not None}

    def reachable(self, party: str) -> bool:
        """As `_held_back` says, without dialling."""
        host = self._hosts().get(party)
        return host is None or self._held_back(party, host) is None

    def inbox(self, party: str) -> Inbox:
        """What was claimed is told apart from what waits; a claim of what is no longer there is given up."""
        host = self._hosts().get(party)
        if host is None:
            return self._own.inbox(party)
        with self._dial(party, host):
            found = {file.name: file for file in self._remote.listing(host)}
        claims = self._claims(party, found) if host.claim == Claim.READ else {}
        taken = [TakenFile(mark, name) for name, mark in sorted(claims.items())]
        taken += [TakenFile(*name.removeprefix(_TAKEN).split(".", 1)) for name in sorted(found) if name.startswith(_TAKEN)]
        seen = [file for name, file in sorted(found.items()) if not name.startswith(".") and name not in claims]
        waiting = {file.name: file.bytes for file in seen if file.bytes is not None}
        return Inbox(waiting, taken, [file.name for file in seen if file.bytes is None])

    def _claims(self, party: str, found: Mapping[str, RemoteFile]) -> dict[str, str]:
        """name -> mark of what we claimed and what is still the file that it was; of anything else the claim is void."""
        with self._register.transaction() as tx:
            rows = tx.find("host_claim", party=party)
            standing = [row for row in rows if _is_same(found.get(row["name"]), row)]
            for row in rows:
                if row not in standing:
                    tx.delete("host_claim", party=party, name=row["name"])
        return {row["name"]: row["mark"] for row in standing}

    def take(self, party: str, name: str, mark: str) -> bool:
        """A rename beside the file, or a claim in the register of the file as it is now."""
        host = self._hosts().get(party)
        if host is None:
            return self._own.take(party, name, mark)
        if host.claim == Claim.RENAME:
            with self._dial(party, host):
                return self._remote.rename(host, name, f"{_TAKEN}{mark}.{name}")
        with self._dial(party, host):
            found = self._remote.stat(host, name)
        if found is None or found.bytes is None:
            return False
        with self._register.transaction() as tx:
            tx.delete("host_claim", party=party, name=name)
            row = {"party": party, "name": name, "mark": mark, "bytes": found.bytes, "modified": found.modified}
            tx.insert("host_claim", row)
        return True

    def give_back(self, party: str, name: str, mark: str) -> None:
        """Under its own name again, unless its sender has put another there."""
        host = self._hosts().get(party)
        if host is None:
            self._own.give_back(party, name, mark)
        elif host.claim == Claim.READ:
            self._forget(party, name)
        else:
            with self._dial(party, host):
                claimed = f"{_TAKEN}{mark}.{name}"
                # Where its sender has put another under its name since, that one stays instead.
                if self._remote.stat(host, name) is not None:
                    self._remote.remove(host, claimed)
                else:
                    self._remote.rename(host, claimed, name)

    def pieces(self, party: str, name: str, mark: str, start: int) -> Generator[bytes, None, None]:
        """Raises RetryLater where only a claim protects the file and it was replaced since."""
        host = self._hosts().get(party)
        if host is None:
            yield from self._own.pieces(party, name, mark, start)
            return
        self._require_claimed(party, host, name)
        with self._dial(party, host):
            yield from self._remote.pieces(host, _place(host, name, mark), start)

    def _require_claimed(self, party: str, host: ExternalHost, name: str) -> None:
        if host.claim == Claim.READ and not self._is_claimed(party, host, name):
            self._forget(party, name)
            raise RetryLater(f"{name} was replaced on the host of {party} after we had claimed it")

    def _is_claimed(self, party: str, host: ExternalHost, name: str) -> bool:
        with self._dial(party, host):
            found = self._remote.stat(host, name)
        with self._register.transaction() as tx:
            row = tx.get("host_claim", party=party, name=name)
        return row is not None and _is_same(found, row)

    def remove(self, party: str, name: str, mark: str) -> None:
        """Only what was claimed: another file under its name stays."""
        host = self._hosts().get(party)
        if host is None:
            self._own.remove(party, name, mark)
            return
        # What took its place under its name meanwhile is another file, and is the next to be judged.
        if host.claim == Claim.RENAME or self._is_claimed(party, host, name):
            with self._dial(party, host):
                self._remote.remove(host, _place(host, name, mark))
        if host.claim == Claim.READ:
            self._forget(party, name)

    def _forget(self, party: str, name: str) -> None:
        with self._register.transaction() as tx:
            tx.delete("host_claim", party=party, name=name)

    def deliver(self, party: str, name: str, content: Outgoing) -> None:
        """Into out/, or into the ``outbound`` folder of the party's host."""
        host = self._hosts().get(party)
        if host is None:
            self._own.deliver(party, name, content)
            return
        with self._dial(party, host):
            self._remote.deliver(host, name, content)

    def lying(self, party: str) -> Mapping[str, Lying]:
        """What lies there, as that server says it."""
        host = self._hosts().get(party)
        if host is None:
            return self._own.lying(party)
        with self._dial(party, host):
            return self._remote.lying(host)

    def close(self) -> None:
        """Both doors."""
        self._own.close()
        self._remote.close()

    def _hosts(self) -> dict[str, ExternalHost]:
        if self._known is None:
            with self._register.transaction() as tx:
                found = [(one, external_host(one.contract)) for one in parties(tx, custody_date_of(self._clock.now()))]
                self._states = {row["party"]: row for row in tx.find("dialled_host")}
            self._closed = frozenset(one.party for one, _ in found if one.status == PartyStatus.CLOSED)
            self._known = {one.party: host for one, host in found if host is not None}
        return self._known

    def _held_back(self, party: str, host: ExternalHost) -> str | None:
        """Why the host is not dialled now."""
        state = self._states.get(party)
        if state is None or state["terms_digest"] != _terms(host):
            return None
        if state["stopped"]:
            return f"{host.host} is not dialled until somebody has looked: {state['last_reason']}"
        if datetime.fromisoformat(state["next_dial_at"]) > self._clock.now():
            return f"{host.host} is dialled again from {state['next_dial_at'][:19]}: {state['last_reason']}"
        return None

    @contextmanager
    def _dial(self, party: str, host: ExternalHost) -> Iterator[None]:
        """Every use of a host: what comes of it is known to the next. Raises RetryLater, also for what stops the host."""
        why = self._held_back(party, host)
        if why is not None:
            raise RetryLater(why)
        try:
            yield
        except SettingsError:
            raise
        except StopRun as error:
            self._note(party, host, str(error), stopped=True)
            today = self._clock.now().date()
            words = (
                f"the host of {party} is not dialled any more until somebody has looked: {error}",
                f"已停止连接 {party} 的主机，须人工核查：{error}",
            )
            raise_alert(self._register, SYSTEM, STOPPED_RULE, party, today, *words, occurrence=f"{today}|{_terms(host)}")
            raise RetryLater(str(error)) from error
        except RetryLater as error:
            self._note(party, host, str(error), stopped=False)
            raise
        if party in self._states:
            with self._register.transaction() as tx:
                tx.delete("dialled_host", party=party)
            self._states.pop(party, None)

    def _note(self, party: str, host: ExternalHost, why: str, stopped: bool) -> None:
        before = self._states.get(party)
        failures = 1 + (before["failures"] if before is not None and before["terms_digest"] == _terms(host) else 0)
        next_at = self._clock.now() + self._policy.delay(failures)
        row: Row = {
            "terms_digest": _terms(host),
            "failures": failures,
            "next_dial_at": next_at.isoformat(timespec="microseconds"),
            "stopped": stopped,
            "last_reason": why,
        }
        with self._register.transaction() as tx:
            if tx.update("dialled_host", {"party": party}, row) == 0:
                tx.insert("dialled_host", {"party": party, **row})
        self._states[party] = {"party": party, **row}


def _terms(host: ExternalHost) -> str:
    return digest_of_json([host.host, host.port, host.user, host.host_key])


def _place(host: ExternalHost, name: str, mark: str) -> str:
    return f"{_TAKEN}{mark}.{name}" if host.claim == Claim.RENAME else name


def _is_same(file: RemoteFile | None, claim: Row) -> bool:
    return file is not None and (file.bytes, file.modified) == (claim["bytes"], claim["modified"])
