"""Keys of organisations on both servers: a change with overlap, an end that the server itself keeps, a revocation at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from exchange_kit import Exchange

from connectors.drop_accounts import follow_register, logins_of
from connectors.sftp_drop import PartyClient
from connectors.ssh_keys import make_key, public_key_line
from custody.calendar import custody_date_of
from custody.errors import CustodyError, NotPermitted, RetryLater, StopRun, UsageError
from custody.services.four_eyes import approve, reject
from custody.services.party_keys import (
    KEY,
    REVOKE,
    KeyUse,
    PublicKey,
    ending,
    keys,
    keys_in_force,
    propose_key,
    propose_revocation,
    ssh_key,
)

FAR = timedelta(days=400)


@pytest.fixture
def two_keys(exchange: Exchange) -> Iterator[tuple[Exchange, Path, Path]]:
    """P001's first key, and a second one that the register does not know yet."""
    second = exchange.settings.home / "party_keys" / "P001_second"
    make_key(second)
    yield exchange, exchange.settings.home / "party_keys" / "P001", second


def _today(exchange: Exchange) -> date:
    return custody_date_of(exchange.ports.clock.now())


def _public(path: Path) -> PublicKey:
    key = ssh_key(public_key_line(path))
    assert key is not None
    return key


def _gets_in(exchange: Exchange, key: Path) -> bool:
    client = PartyClient(exchange.settings, "P001", key)
    try:
        client.list_out()
    except StopRun:
        return False
    finally:
        client.close()
    return True


def _decided(
    exchange: Exchange, key: Path, first: date, last: date | None = None, replaces: tuple[str, date] | None = None
) -> None:
    old = replaces or (None, None)
    clock = exchange.ports.clock
    proposal = propose_key(exchange.register, clock, "wang", "P001", _public(key), first, last, "rotation", *old)
    approve(exchange.register, clock, "li", KEY, proposal, "asked on the telephone")
    follow_register(exchange.settings, exchange.register, _today(exchange))


def test_both_keys_work_while_they_overlap_and_the_old_one_not_after(two_keys: tuple[Exchange, Path, Path]) -> None:
    exchange, first, second = two_keys
    today = _today(exchange)
    assert (_gets_in(exchange, first), _gets_in(exchange, second)) == (True, False)
    _decided(exchange, second, today, None, (_public(first).fingerprint, today + timedelta(days=7)))
    assert (_gets_in(exchange, first), _gets_in(exchange, second)) == (True, True)
    # The last date of the overlap is gone by: nobody has to do anything for it but what the scheduler repeats.
    follow_register(exchange.settings, exchange.register, today + timedelta(days=8))
    assert (_gets_in(exchange, first), _gets_in(exchange, second)) == (False, True)


def test_the_server_itself_refuses_a_key_behind_its_last_date(two_keys: tuple[Exchange, Path, Path]) -> None:
    exchange, first, second = two_keys
    today = _today(exchange)
    _decided(exchange, second, today, today)
    assert _gets_in(exchange, second)
    place = {"party": "P001", "fingerprint": _public(second).fingerprint}
    with exchange.register.transaction() as tx:
        tx.update("party_key", place, {"valid_from": today - FAR, "valid_to": today - timedelta(days=1)})
    # As if nobody had brought the log-ins up since the key's last date: it stands in the file, and is refused all the same.
    follow_register(exchange.settings, exchange.register, today - timedelta(days=1))
    account = exchange.settings.sftp.account("P001")
    written = (exchange.settings.path(exchange.settings.sftp.authorized_keys) / account).read_text()
    assert _public(second).text in written
    assert (_gets_in(exchange, first), _gets_in(exchange, second)) == (True, False)


def test_a_key_begins_on_its_first_date(two_keys: tuple[Exchange, Path, Path]) -> None:
    exchange, _, second = two_keys
    tomorrow = _today(exchange) + timedelta(days=1)
    _decided(exchange, second, tomorrow)
    assert not _gets_in(exchange, second)
    follow_register(exchange.settings, exchange.register, tomorrow)
    assert _gets_in(exchange, second)


def test_a_key_is_locked_out_when_one_person_asks_and_for_good_when_two_do(two_keys: tuple[Exchange, Path, Path]) -> None:
    exchange, first, second = two_keys
    clock, register, today = exchange.ports.clock, exchange.register, _today(exchange)
    _decided(exchange, second, today)
    session = PartyClient(exchange.settings, "P001", first)
    session.list_out()

    def asked() -> str:
        proposal = propose_revocation(register, clock, "wang", "P001", _public(first).fingerprint[:20], "a laptop was stolen")
        follow_register(exchange.settings, register, today)
        return proposal

    proposal = asked()
    assert (_gets_in(exchange, first), _gets_in(exchange, second)) == (False, True)
    if exchange.settings.sftp.server == "openssh":
        # Who was logged in with it is put out at once.
        with pytest.raises((RetryLater, StopRun)):
            session.list_out()
    session.close()
    with pytest.raises(NotPermitted):
        reject(register, clock, "wang", REVOKE, proposal, "")
    reject(register, clock, "li", REVOKE, proposal, "it was found")
    follow_register(exchange.settings, register, today)
    assert _gets_in(exchange, first)
    approve(register, clock, "li", REVOKE, asked(), "gone")
    follow_register(exchange.settings, register, today)
    assert (_gets_in(exchange, first), _gets_in(exchange, second)) == (False, True)
    for ask in (
        lambda: propose_revocation(register, clock, "wang", "P001", _public(first).fingerprint, ""),
        lambda: propose_key(register, clock, "wang", "P001", _public(first), today, None, ""),
        lambda: propose_key(register, clock, "wang", "P002", _public(second), today, None, ""),
        lambda: propose_key(register, clock, "wang", "P404", _public(second), today, None, ""),
        lambda: propose_key(register, clock, "wang", "P001", _public(second), today, today - timedelta(days=1), ""),
        lambda: propose_key(register, clock, "wang", "P001", _public(second), today, None, "", _public(first).fingerprint, today),
        lambda: propose_key(register, clock, "wang", "P001", _public(second), today, None, "", "SHA256:none", today),
        lambda: propose_key(register, clock, "wang", "P001", _public(second), today, None, "", _public(first).fingerprint),
    ):
        with pytest.raises(UsageError):
            ask()
    with pytest.raises(NotPermitted):
        propose_revocation(register, clock, "zhao", "P001", _public(second).fingerprint, "")


def test_of_two_keys_that_begin_on_one_date_the_one_registered_later_is_the_newer(builtin: Exchange) -> None:
    today = _today(builtin)
    paths = [builtin.settings.home / "party_keys" / f"P001_{name}" for name in ("a", "b")]
    for path in paths:
        make_key(path)
    # In either order of their fingerprints.
    in_order = sorted(paths, key=lambda path: _public(path).fingerprint)
    for first, second in (in_order, in_order[::-1]):
        with builtin.register.transaction() as tx:
            tx.delete("party_key", party="P001")
        _decided(builtin, first, today)
        _decided(builtin, second, today)
        with builtin.register.transaction() as tx:
            found = [key.fingerprint for key in keys_in_force(tx, "P001", KeyUse.SSH, today)]
        assert found == [_public(first).fingerprint, _public(second).fingerprint]
        # Other dates of a key that stands make it no newer one.
        _decided(builtin, first, today, today + timedelta(days=300))
        with builtin.register.transaction() as tx:
            assert [key.fingerprint for key in keys_in_force(tx, "P001", KeyUse.SSH, today)] == found


def test_a_key_that_ends_is_warned_of_unless_another_goes_on(builtin: Exchange) -> None:
    second = builtin.settings.home / "party_keys" / "P001_second"
    make_key(second)
    today = _today(builtin)

    def warned(on: date) -> list[str]:
        with builtin.register.transaction() as tx:
            return [key.fingerprint for key in ending(keys(tx), on)]

    first = _public(builtin.settings.home / "party_keys" / "P001")
    _decided(builtin, builtin.settings.home / "party_keys" / "P001", today, today + timedelta(days=60))
    assert (warned(today), warned(today + timedelta(days=31))) == ([], [first.fingerprint])
    _decided(builtin, second, today + timedelta(days=40), None)
    assert warned(today + timedelta(days=45)) == []
    with builtin.register.transaction() as tx:
        found = keys_in_force(tx, "P001", KeyUse.SSH, today + timedelta(days=50))
        assert [key.fingerprint for key in found] == [first.fingerprint, _public(second).fingerprint]
        assert [key.fingerprint for key in keys_in_force(tx, "P001", KeyUse.SSH, today)] == [first.fingerprint]
        assert keys_in_force(tx, "P001", KeyUse.OPENPGP, today) == []
        assert {login.user: len(login.lines) for login in logins_of(tx, today + timedelta(days=50))} == {"P001": 2, "P002": 1}


def test_making_accounts_holds_nobody_up_and_is_made_good_after_a_crash(
    two_keys: tuple[Exchange, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The register is free while accounts are made; who dies meanwhile leaves it to the next one."""
    from connectors import drop_accounts

    exchange, first, second = two_keys
    clock, today = exchange.ports.clock, _today(exchange)
    other = Exchange(exchange.settings)
    proposal = propose_key(exchange.register, clock, "wang", "P001", _public(second), today, None, "")
    approve(exchange.register, clock, "li", KEY, proposal, "")

    class Died(CustodyError):
        pass

    def dies(*_: object) -> None:
        with other.register.transaction() as tx:
            assert tx.get("party", party="P001")
        raise Died("killed while it made accounts")

    with monkeypatch.context() as patched:
        patched.setattr(drop_accounts, "admit", dies)
        with pytest.raises(Died):
            follow_register(exchange.settings, exchange.register, today)
    other.close()
    assert not _gets_in(exchange, second)
    follow_register(exchange.settings, exchange.register, today)
    assert (_gets_in(exchange, first), _gets_in(exchange, second)) == (True, True)
