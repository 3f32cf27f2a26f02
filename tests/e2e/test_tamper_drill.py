"""The tamper drill: each thing that the system keeps is tampered with in turn, and `custody verify` must find it and say where.

By default all of them at once on one copy of two closed days, and a few in turn; each in turn under ``make soak``, whose table
tests/kit/tamper_table.py prints.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from instance_kit import Instance, opened
from kill_kit import CopyOf, TwoDays
from tamper_table import PROPERTY
from typer.testing import CliRunner

from connectors.ssh_keys import make_key
from connectors.ssh_signature import sign, signing_key
from console.cli import app
from custody.audit import event_hash
from custody.day_seal import NAMESPACE
from custody.ports import KeyedStore, Row
from jobs.store_rebuild import rebuild
from jobs.verification import verify_instance
from schemas.store_keys import BALANCE, CUSTOMER, JOURNAL, LOAN, PERSON_TABLES

_ALL = (b"", b"\xff" * 80)
# Newer than any lease of these instances.
_FENCE = 1_000
FIRST, SECOND = date(2019, 12, 30), date(2019, 12, 31)


@dataclass(frozen=True)
class Tampering:
    """``do`` damages an instance; among the findings one must be of ``part`` and match ``where``, in which {} stands for what ``do``
    returned. ``alone``: it leaves nothing for others to damage."""

    name: str
    do: Callable[[Instance], str]
    part: str
    where: str
    alone: bool = False


def _flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def _home(instance: Instance) -> Path:
    return Path(instance.wiring.settings.home)


def _output(instance: Instance, step: str, on: date = SECOND) -> Row:
    return instance.find("step_output", step=step, custody_date=on)[-1]


def _in_lake(instance: Instance, step: str, name: str, on: date = SECOND) -> Path:
    return _home(instance) / "lake" / str(_output(instance, step, on)["path"]) / name


def _contents(instance: Instance) -> list[Row]:
    """An accepted file for each content that was archived: files without rows may well have the same bytes."""
    return list({row["archive_ref"]: row for row in instance.find("file", state="ACCEPTED")}.values())


def _archived(ending: str, n: int, how: Callable[[Path], object]) -> Callable[[Instance], str]:
    """The n-th content that an organisation sent."""

    def do(instance: Instance) -> str:
        row = _contents(instance)[n]
        how(_home(instance) / "archive" / f"{row['archive_ref']}{ending}")
        return str(row["file_name"])

    return do


def _cut(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-10])


def _exchanged(instance: Instance) -> str:
    """Each of two archived files in the other's place, with its key: both open well."""
    one, two = _contents(instance)[4:6]
    archive = _home(instance) / "archive"
    for ending in (".enc", ".key"):
        paths = [archive / f"{row['archive_ref']}{ending}" for row in (one, two)]
        for path in paths:
            path.chmod(0o600)
        contents = [path.read_bytes() for path in paths]
        for path, data in zip(paths, reversed(contents), strict=True):
            path.write_bytes(data)
    return str(one["file_name"])


def _lake(step: str, name: str, how: Callable[[Path], object], on: date = SECOND) -> Callable[[Instance], str]:
    def do(instance: Instance) -> str:
        how(_in_lake(instance, step, name, on))
        return str(_output(instance, step, on)["path"])

    return do


def _report_file(instance: Instance) -> str:
    folder = _in_lake(instance, "report", "files")
    path = min(folder.glob("*.csv"))
    _flip(path)
    return path.name


def _swapped_days(instance: Instance) -> str:
    """The two days' compliance outputs, each in the other's folder: both are whole in themselves."""
    one, two = (_home(instance) / "lake" / str(_output(instance, "fees", on)["path"]) for on in (FIRST, SECOND))
    aside = one.with_name("aside")
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    return str(_output(instance, "fees", FIRST)["path"])


def _change(table: str, values: dict[str, object], n: int = 0, shown: str = "", **chosen: object) -> Callable[[Instance], str]:
    """Some columns of the n-th of these rows get other values; ``shown``: the column that names it."""

    def do(instance: Instance) -> str:
        row = instance.find(table, **chosen)[n]
        key = {c.name: row[c.name] for c in _table(table).primary_key.columns}
        with instance.wiring.register.transaction() as tx:
            assert tx.update(table, key, values) == 1
        return str(row[shown]) if shown else ""

    return do


def _remove(table: str, n: int = 0, shown: str = "", **chosen: object) -> Callable[[Instance], str]:
    def do(instance: Instance) -> str:
        row = instance.find(table, **chosen)[n]
        with instance.wiring.register.transaction() as tx:
            assert tx.delete(table, **{c.name: row[c.name] for c in _table(table).primary_key.columns}) == 1
        return str(row[shown]) if shown else ""

    return do


def _insert(table: str, row: Row) -> Callable[[Instance], str]:
    def do(instance: Instance) -> str:
        with instance.wiring.register.transaction() as tx:
            tx.insert(table, row)
        return ""

    return do


def _table(name: str) -> Any:
    from connectors.register_tables import metadata

    return metadata.tables[name]


def _rehash(instance: Instance, first: int) -> None:
    """From this number on every audit event follows from the one before again: a forger who can compute."""
    with instance.wiring.register.transaction() as tx:
        events = tx.find("audit_event", ("event_no",))
        previous = events[first - 2]["hash"] if first > 1 else "0" * 64
        for event in events[first - 1 :]:
            fitting = {**event, "previous_hash": previous}
            fitting["hash"] = previous = event_hash(fitting)
            tx.update("audit_event", {"event_no": event["event_no"]}, fitting)


def _rewritten_event(instance: Instance) -> str:
    (event,) = instance.find("audit_event", action="step.land", subject=FIRST.isoformat())
    with instance.wiring.register.transaction() as tx:
        tx.update("audit_event", {"event_no": event["event_no"]}, {"actor": "somebody"})
    _rehash(instance, event["event_no"])
    return FIRST.isoformat()


def _cut_tail(instance: Instance) -> str:
    """The chain ends before the last close, whose event and every later one are gone."""
    (close,) = instance.find("audit_event", action="step.close", subject=SECOND.isoformat())
    with instance.wiring.register.transaction() as tx:
        for event in tx.find("audit_event", ("event_no",)):
            if event["event_no"] >= close["event_no"]:
                tx.delete("audit_event", event_no=event["event_no"])
    return str(close["event_no"])


def _deleted_day(instance: Instance) -> str:
    """Nothing in the register tells of the second day any more, and the chain is whole."""
    with instance.wiring.register.transaction() as tx:
        for table in ("step_output", "publication"):
            tx.delete(table, custody_date=SECOND)
        (cut_off,) = tx.find("audit_event", action="step.cut_off", subject=SECOND.isoformat())
        for event in tx.find("audit_event", ("event_no",)):
            if event["event_no"] >= cut_off["event_no"]:
                tx.delete("audit_event", event_no=event["event_no"])
    return SECOND.isoformat()


def _statement(how: Callable[[Path], object], name: str) -> Callable[[Instance], str]:
    def do(instance: Instance) -> str:
        path = _home(instance) / "seals" / name
        path.chmod(0o600)
        how(path)
        return name

    return do


def _signed_by_another(instance: Instance) -> str:
    path = _home(instance) / "seals" / f"{FIRST}_v1.json"
    make_key(_home(instance) / "forger")
    signature = path.with_name(f"{path.name}.sig")
    signature.chmod(0o600)
    signature.write_text(sign(signing_key(_home(instance) / "forger"), path.read_bytes(), NAMESPACE))
    return path.name


def _stored(table: str, how: str) -> Callable[[Instance], str]:
    """A row of the keyed store changed, removed or added; which one it is."""

    def do(instance: Instance) -> str:
        keyed = instance.wiring.keyed
        key, columns = next(iter(keyed.scan(table, *_ALL)))
        if how == "removed":
            keyed.delete_many(table, [key], _FENCE)
        elif how == "added":
            keyed.put_many(table, [(key[:-1] + bytes([key[-1] ^ 1]), columns)], _FENCE)
        else:
            name = max(columns)
            cell = bytearray(columns[name])
            cell[len(cell) // 2] ^= 1
            keyed.put_many(table, [(key, {**columns, name: bytes(cell)})], _FENCE)
        return key[1:].split(b"\0")[0].decode()

    return do


_CHARGE = {
    "charge_no": "P001-2019-12", "platform": "P001", "period": "2019-12", "currency": "CNY", "net_minor": 1, "vat_minor": 0, "gross_minor": 1,
    "components": "{}", "accrued_on": SECOND, "seal": "0" * 64, "due_on": SECOND, "state": "COLLECTED", "kind": "RATED", "collected_minor": 1, "set_off_minor": 0,
    "written_off_minor": 0, "attempts": 1,
}  # fmt: skip
_ATTEMPT = {
    "request_no": "P001-1", "charge_no": "P001-2019-12", "attempt": 1, "amount_minor": 1, "vat_minor": 0, "file_name": "BANK_CHARGE_X.csv",
    "sent_on": SECOND, "answered_on": None, "collected_minor": 0,
}  # fmt: skip
_CONTACT = {"party": "P001", "role": "OPERATIONS", "rank": 9, "shown": "{}", "sealed": "x", "wrapped_key": "x"}
_SAMPLES = {
    "party": "CH01", "test_no": 7, "basis": "0" * 64, "contract_digest": "0" * 64, "custody_date": SECOND, "outcome": "PASSED", "files": 1, "faults": 0,
    "report_name": "x", "tested_by": "maker", "tested_at": "2019-12-31T00:00:00",
}  # fmt: skip
_RULE = {"rule_id": "INVENTED", "version": 1, "valid_from": FIRST, "entry": "{}", "digest": "0" * 64, "proposal_id": "x"}
_PERSON = {"person_id": "mallory", "display_name": "M", "roles": '["supervisor"]', "active": True}
_HOLIDAY = {"day": date(2020, 1, 3), "business_day": False, "reason": "no such decision"}
_NO_EVENT = "no audit event tells of it"

DRILL = (
    Tampering("a byte of an archived file", _archived(".enc", 0, _flip), "archive", "archived .*{}.*: "),
    Tampering("the key of an archived file", _archived(".key", 1, _flip), "archive", "archived .*{}.*: "),
    Tampering("an archived file is removed", _archived(".enc", 2, Path.unlink), "archive", "archived .*{}.*: the archive has no"),
    Tampering("an archived file is cut short", _archived(".enc", 3, _cut), "archive", "archived .*{}.*: "),
    Tampering("two archived files are exchanged", _exchanged, "archive", "archived .*{}.*: archived .* is not what it is named by"),
    Tampering("a byte of a sealed table", _lake("risk", "loan_risk/part-00000.parquet", _flip), "lake", "{}/loan_risk/part-00000.parquet was changed"),
    Tampering("a sealed table is removed", _lake("statement", "statement_lines/part-00000.parquet", Path.unlink), "lake", "{}/statement_lines/part-00000.parquet is missing"),
    Tampering("a table's file is another day's", _lake("extract", "core_flow/part-00000.parquet", lambda p: p.with_name("part-00001.parquet").write_bytes(p.read_bytes())), "lake",
              "{}/core_flow/part-00001.parquet does not belong there"),
    Tampering("a manifest", _lake("validate", "manifest.json", lambda p: _flip(p, 0.2)), "lake", "{}/(manifest.json|.* was changed)"),
    Tampering("a day's root", _lake("close", "day_root/part-00000.parquet", _flip, FIRST), "lake", "{}/day_root/part-00000.parquet was changed"),
    Tampering("two days' outputs are exchanged", _swapped_days, "lake", "{}/manifest.json does not have the committed digest"),
    Tampering("a drafted report's file", _report_file, "lake", "files/{} was changed"),
    Tampering("a row of the ledger in the store is changed", _stored(JOURNAL, "changed"), "store", "{}"),
    Tampering("a balance in the store is removed", _stored(BALANCE, "removed"), "store", "{}"),
    Tampering("a loan in the store is added", _stored(LOAN, "added"), "store", "{}"),
    Tampering("a customer is removed from the store", _stored(CUSTOMER, "removed"), "store", "customer {}: he has sub-accounts"),
    Tampering("a customer's data in the store", _stored(CUSTOMER, "changed"), "store", "customer {}: "),
    Tampering("step_output", _change("step_output", {"manifest_digest": "0" * 64}, step="risk", custody_date=FIRST), "commits", "risk of 2019-12-30 v1 has manifest 0000"),
    Tampering("publication", _change("publication", {"manifest_digest": "0" * 64}, step="fees", custody_date=FIRST), "publications", "fees of 2019-12-30 v1"),
    Tampering("proposal: what was proposed", _change("proposal", {"payload": "{}"}, 0, "proposal_id"), "decisions", "proposal {} is not what"),
    Tampering("proposal: who decided", _change("proposal", {"checker": "maker"}, 1, "proposal_id"), "decisions", "proposal {} says"),
    Tampering("person: a duty more", _change("person", {"roles": '["supervisor","operator"]'}, person_id="maker"), "masters", f"person maker was changed since then: {_NO_EVENT}"),
    Tampering("person: somebody more", _insert("person", _PERSON), "masters", f"person mallory was added since then: {_NO_EVENT}"),
    Tampering("party", _change("party", {"name_zh": "别家"}, party="P001"), "masters", "party P001 was changed"),
    Tampering("party_status", _remove("party_status", party="P002"), "masters", "party_status P002.* was removed"),
    Tampering("party_contract", _change("party_contract", {"contract": "{}"}, party="P003"), "masters", "party_contract P003.* was changed"),
    Tampering("party_key", _change("party_key", {"public_key": "ssh-ed25519 AAAA"}, party="CH01"), "masters", "party_key CH01.* was changed"),
    Tampering("holiday", _insert("holiday", _HOLIDAY), "masters", "holiday .*2020-01-03 was added"),
    Tampering("adopted_rule", _insert("adopted_rule", _RULE), "masters", "adopted_rule INVENTED/1 was added"),
    Tampering("fee_charge", _insert("fee_charge", _CHARGE), "masters", "fee_charge P001-2019-12 was added"),
    Tampering("fee_attempt", _insert("fee_attempt", _ATTEMPT), "masters", r"fee_attempt BANK_CHARGE_X\.csv\|P001-1 was added"),
    Tampering("party_contact", _insert("party_contact", _CONTACT), "masters", r"party_contact P001\|OPERATIONS\|9 was added"),
    Tampering("acceptance_test", _insert("acceptance_test", _SAMPLES), "masters", r"acceptance_test CH01\|7 was added"),
    Tampering("file: what it is", _change("file", {"custody_date": FIRST}, 0, "file_name", cut_off_date=SECOND, state="ACCEPTED"), "files", "file {} .* has another custody_date"),
    Tampering("file: its digest", _change("file", {"sha256": "0" * 64}, 1, "file_name", cut_off_date=SECOND, state="ACCEPTED"), "files", "file {} .* is not in the register"),
    Tampering("file: its row", _remove("file", 2, "file_name", cut_off_date=FIRST), "files", "file {} .* is not in the register"),
    Tampering("file_event", _change("file_event", {"event": "ARRIVED", "actor": "nobody"}, 10, "event_no"), "journals", "file_event 1 to .*signed with 2019-12-30"),
    Tampering("case_event", _remove("case_event", 3, "event_no"), "journals", "case_event {} .*no longer there"),
    Tampering("alert_event", _change("alert_event", {"words_en": "nothing"}, 0, "event_no"), "journals", "alert_event 1 to .*signed with 2019-12-30"),
    Tampering("alert", _remove("alert", 0, "alert_id"), "alerts", "alert {}: the journal of alerts tells of it"),
    Tampering("recon_case: its amount", _change("recon_case", {"amount_minor": 1}, 0, "case_id", state="OPEN"), "cases", "case {} is "),
    Tampering("recon_case: closed by nobody", _change("recon_case", {"state": "CLOSED"}, 1, "case_id", state="OPEN"), "cases", "case {} is not open in the register"),
    Tampering("outbound", _change("outbound", {"sha256": "0" * 64}, 0, "file_name"), "outbound", "outbound {} says SHA-256 0000"),
    Tampering("an audit event", _change("audit_event", {"actor": "somebody"}, 6, "event_no"), "chain", "audit event {} does not follow"),
    Tampering("an audit event, with the chain after it", _rewritten_event, "seals", "signed statement of {} v1 has another hash for audit event", alone=True),
    Tampering("the audit chain's tail is cut", _cut_tail, "seals", "signed statement of 2019-12-31 v1 was made at audit event {}: the chain ends", alone=True),
    Tampering("a day is deleted, with all that the register tells of it", _deleted_day, "seals", "signed statement of {} v1: the register has no such close", alone=True),
    Tampering("a signed statement", _statement(lambda p: _flip(p, 0.9), f"{SECOND}_v1.json"), "seals", "{}", alone=True),
    Tampering("a signed statement is removed", _statement(Path.unlink, f"{SECOND}_v1.json"), "seals", "day 2019-12-31 v1 is closed, and no signed statement", alone=True),
    Tampering("a signature is another key's", _signed_by_another, "seals", "{}: it is signed by a key that did not sign this date", alone=True),
    Tampering("what was signed of the register", _statement(_flip, f"{FIRST}_v1_register.json"), "seals", "{} is missing, or is not the one that was signed", alone=True),
    Tampering("the list of keys", _statement(lambda p: p.write_text(p.read_text() * 2), "allowed_signers"), "seals", "{} has other keys than two people let in", alone=True),
)  # fmt: skip
# Under `make soak` each; else those that no other shares its part with.
_EACH = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
_IN_TURN = DRILL if _EACH else [one for one in DRILL if one.name in ("the audit chain's tail is cut", "a day is deleted, with all that the register tells of it", "a balance in the store is removed")]  # fmt: skip


def findings(instance: Instance, with_store: bool = True) -> list[tuple[str, str]]:
    return [(fault.part, fault.words) for fault in verify_instance(instance.wiring, None, with_store, lambda _: None).faults]


def located(one: Tampering, named: str, found: list[tuple[str, str]]) -> list[str]:
    wanted = one.where.replace("{}", re.escape(named))
    return [words for part, words in found if part == one.part and re.search(wanted, words)]


@pytest.mark.parametrize("one", _IN_TURN, ids=lambda one: one.name)
def test_what_is_tampered_with_is_found_and_located(
    one: Tampering, two_days: TwoDays, fresh: CopyOf, record_property: Callable[[str, object], None]
) -> None:
    with opened(fresh(two_days.home)) as instance:
        named = one.do(instance)
        found = findings(instance, with_store=one.part == "store")
    words = located(one, named, found)
    said = {"name": one.name, "part": one.part, "located": bool(words), "words": (words or [""])[0], "findings": len(found)}
    record_property(PROPERTY, json.dumps(said))
    assert words, found


def test_nothing_hides_behind_other_damage(two_days: TwoDays, fresh: CopyOf) -> None:
    """All that can be done to one instance at once: each is found beside the others, and nothing was found before."""
    with opened(fresh(two_days.home)) as instance:
        assert findings(instance) == []
        together = [one for one in DRILL if not one.alone]
        named = [one.do(instance) for one in together]
        found = findings(instance)
    missed = [one.name for one, of in zip(together, named, strict=True) if not located(one, of, found)]
    assert not missed, "\n".join(map(str, [*missed, *found]))


@pytest.mark.real
@pytest.mark.parametrize("how", ["changed", "removed", "added"])
def test_a_row_of_hbase_is_found_and_located(
    how: str, two_days: TwoDays, fresh: CopyOf, open_hbase_store: Callable[[], KeyedStore]
) -> None:
    one = Tampering(how, _stored(BALANCE, how), "store", "{}")
    with opened(fresh(two_days.home)) as instance:
        store = open_hbase_store()
        for table in PERSON_TABLES:
            store.put_many(table, list(instance.wiring.keyed.scan(table, *_ALL)))
        instance.wiring.keyed.close()
        instance.wiring.__dict__["keyed"] = store
        rebuild(instance.wiring, "admin", "another store", lambda _: None)
        assert findings(instance) == []
        named = one.do(instance)
        assert located(one, named, findings(instance))


def test_a_released_file_in_other_hands_is_held_against_its_seal(two_days: TwoDays, fresh: CopyOf, tmp_path: Path) -> None:
    home = fresh(two_days.home)
    with opened(home) as instance:
        folder = Path(shutil.copytree(_in_lake(instance, "report", "files"), tmp_path / "received"))
    seal = min(folder.glob("*_seal.json"))
    named = json.loads(seal.read_bytes())["files"][0]["name"]

    def verify() -> tuple[int, list[str]]:
        done = CliRunner().invoke(app, ["verify", str(seal), "--json"], env={"CUSTODY_HOME": str(home)})
        return done.exit_code, json.loads(done.stdout.splitlines()[-1])["wrong"]

    assert verify() == (0, [])
    _flip(folder / named)
    code, wrong = verify()
    assert code == 1 and len(wrong) == 1 and wrong[0].startswith(f"{named} was changed")
