"""A closed day is signed as OpenSSH signs, by the key of its date, and nothing else is taken for it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from openssh import ASKS_SSH_KEYGEN
from typer.testing import CliRunner

from connectors.seal_folder import ALLOWED_SIGNERS, SealFolder
from connectors.ssh_keys import make_key
from connectors.ssh_signature import public_line, sign, signer_of, signing_key
from console.cli import app
from custody.day_seal import (
    BLOCK_ROWS,
    NAMESPACE,
    SIGNER,
    DayStatement,
    JournalPart,
    MasterRows,
    RegisterState,
    SignedDay,
    journal_faults,
    journal_part,
    master_faults,
    master_rows,
    read_statement,
    statement_faults,
)
from custody.errors import SettingsError, StopRun
from custody.services.seal_keys import SealKey, allowed_signers, first_key, key_on
from schemas.exchange import sha256_hex

FIRST, SECOND, LATER = date(2019, 12, 30), date(2019, 12, 31), date(2020, 1, 7)
STATE = RegisterState({"file_event": JournalPart(1, 0, (), ())}, {"person": MasterRows(("a",), {"maker": "0" * 32})})
SAID = DayStatement("示范银行", FIRST, 1, "a" * 64, 0, "0" * 64, 7, "b" * 64, sha256_hex(STATE.text()))


@pytest.fixture
def folder(tmp_path: Path) -> SealFolder:
    made = SealFolder(tmp_path / "seals", tmp_path / "keys")
    assert made.begin(FIRST)
    return made


@ASKS_SSH_KEYGEN
@pytest.mark.parametrize("message", [b"", SAID.text(), bytes(range(256)) * 300])
def test_our_signature_is_the_one_that_ssh_keygen_makes(tmp_path: Path, message: bytes) -> None:
    make_key(tmp_path / "key")
    theirs = subprocess.run(
        [str(shutil.which("ssh-keygen")), "-Y", "sign", "-f", str(tmp_path / "key"), "-n", NAMESPACE],
        input=message,
        capture_output=True,
        check=True,
    ).stdout.decode()
    ours = sign(signing_key(tmp_path / "key"), message, NAMESPACE)
    assert ours == theirs
    assert signer_of(message, theirs, NAMESPACE) == public_line(signing_key(tmp_path / "key"))


@ASKS_SSH_KEYGEN
@pytest.mark.parametrize(("at", "signed_by"), [("20191230", 0), ("20200106", 0), ("20200107", 1)])
def test_ssh_keygen_takes_each_key_for_its_own_dates(tmp_path: Path, at: str, signed_by: int) -> None:
    for name in ("one", "two"):
        make_key(tmp_path / name)
    lines = [public_line(signing_key(tmp_path / name)) for name in ("one", "two")]
    signers = tmp_path / ALLOWED_SIGNERS
    signers.write_text(allowed_signers([SealKey(lines[0], FIRST), SealKey(lines[1], LATER)]))
    for number, name in enumerate(("one", "two")):
        (tmp_path / "sig").write_text(sign(signing_key(tmp_path / name), b"root", NAMESPACE))
        arguments = [
            "-I",
            SIGNER,
            "-n",
            NAMESPACE,
            "-f",
            str(signers),
            "-s",
            str(tmp_path / "sig"),
            "-O",
            f"verify-time={at}1200",
        ]
        done = subprocess.run([str(shutil.which("ssh-keygen")), "-Y", "verify", *arguments], input=b"root", capture_output=True)
        assert (done.returncode == 0) is (number == signed_by), done.stderr


def test_a_signature_says_nothing_of_other_bytes_or_another_purpose(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    signature = sign(signing_key(tmp_path / "key"), b"root", NAMESPACE)
    assert signer_of(b"root", signature, NAMESPACE) is not None
    lines = signature.splitlines()
    torn = "\n".join([lines[0], *lines[2:]])
    for message, text, namespace in (
        (b"roof", signature, NAMESPACE),
        (b"root", signature, "file"),
        (b"root", torn, NAMESPACE),
        (b"root", signature.replace(lines[1], lines[1][:-1] + "!"), NAMESPACE),
        (b"root", "", NAMESPACE),
    ):
        assert signer_of(message, text, namespace) is None


def test_a_private_key_that_others_may_read_signs_nothing(folder: SealFolder, tmp_path: Path) -> None:
    (tmp_path / "keys" / "first").chmod(0o640)
    with pytest.raises(StopRun, match="may be read by others"):
        folder.put(SAID, STATE, [folder.first()])
    assert not folder.standing(FIRST, 1)
    (tmp_path / "not").write_text("no key")
    with pytest.raises(SettingsError, match="not an OpenSSH private key"):
        signing_key(tmp_path / "not")


def test_signing_is_repeated_without_harm_and_a_lost_key_is_said(folder: SealFolder, tmp_path: Path) -> None:
    keys = [folder.first()]
    folder.put(SAID, STATE, keys)
    signature = folder.read(FIRST, 1)
    folder.put(replace(SAID, root="c" * 64), STATE, keys)
    assert folder.read(FIRST, 1) == signature
    assert folder.kept(keys).days == (SignedDay(SAID, STATE),)
    # Killed between the statement and its signature.
    (tmp_path / "seals" / "2019-12-30_v1.json.sig").unlink()
    folder.put(SAID, STATE, keys)
    assert folder.read(FIRST, 1) == signature
    assert not folder.begin(SECOND)
    (tmp_path / "keys" / "first").unlink()
    with pytest.raises(StopRun, match="no private key"):
        folder.put(replace(SAID, custody_date=SECOND), STATE, keys)


def test_each_damaged_statement_is_named(folder: SealFolder, tmp_path: Path) -> None:
    keys = [folder.first()]
    seals = tmp_path / "seals"
    for n in range(6):
        said = replace(SAID, custody_date=date(2020, 1, n + 1), audit_no=n + 1)
        folder.put(said, STATE, keys)
        for path in seals.iterdir():
            path.chmod(0o600)
    make_key(tmp_path / "stranger")
    changed = replace(SAID, custody_date=date(2020, 1, 1), root="d" * 64)
    (seals / "2020-01-01_v1.json").write_bytes(changed.text())
    (seals / "2020-01-02_v1.json").write_bytes(b"{}\n")
    (seals / "2020-01-03_v1.json.sig").unlink()
    text = (seals / "2020-01-04_v1.json").read_bytes()
    (seals / "2020-01-04_v1.json.sig").write_text(sign(signing_key(tmp_path / "stranger"), text, NAMESPACE))
    shutil.copy(seals / "2020-01-06_v1.json", seals / "2020-01-07_v1.json")
    (seals / "2020-01-06_v1_register.json").write_bytes(b"{}\n")
    (seals / ALLOWED_SIGNERS).write_text(allowed_signers(keys) + "more\n")
    kept = folder.kept(keys)
    assert [(day.said.custody_date.day, day.state is not None) for day in kept.days] == [(5, True), (6, False)]
    assert [words.removeprefix("seals/") for words in kept.wrong] == [
        "2020-01-01_v1.json: its signature is not one of these bytes",
        "2020-01-02_v1.json was changed: its fields or its format are others",
        "2020-01-03_v1.json: its signature cannot be read",
        "2020-01-04_v1.json: it is signed by a key that did not sign this date",
        "2020-01-06_v1_register.json is missing, or is not the one that was signed",
        "2020-01-07_v1.json is the statement of 2020-01-06 v1",
        "allowed_signers has other keys than two people let in",
    ]


def test_keys_follow_one_another_by_custody_dates() -> None:
    keys = [SealKey("ssh-ed25519 AAAA", FIRST), SealKey("ssh-ed25519 BBBB", LATER)]
    assert [key_on(keys, on) for on in (date(2019, 12, 29), FIRST, date(2020, 1, 6), LATER)] == [None, keys[0], keys[0], keys[1]]
    assert first_key(allowed_signers(keys)) == keys[0]
    for text in ("", "custodian-bank ssh-ed25519 AAAA\n"):
        with pytest.raises(ValueError, match="names no key"):
            first_key(text)


def test_a_statement_is_read_only_as_it_is_spelled() -> None:
    assert read_statement(SAID.text()) == SAID
    body = json.loads(SAID.text())
    for text in (
        json.dumps(body),
        json.dumps({**body, "more": 1}),
        json.dumps({**body, "version": "x"}),
        "[]",
        json.dumps({**body, "audit": 1}),
    ):
        with pytest.raises(ValueError, match="fields|form|spelled"):
            read_statement(text.encode())


def test_what_a_statement_contradicts_is_said_with_its_place() -> None:
    days = [SignedDay(SAID, STATE)]
    closes = [{"custody_date": FIRST, "version": 1, "manifest_digest": "a" * 64}]
    events = {7: {"hash": "b" * 64}}
    assert statement_faults(days, closes, events, "示范银行") == []
    for changed, words in (
        ((days, [], events, "示范银行"), "the register has no such close"),
        ((days, [{**closes[0], "manifest_digest": "e" * 64}], events, "示范银行"), "has root aaaaaaaaaaaaaaaa, the register has eeeeeeeeeeeeeeee"),
        ((days, closes, {6: {"hash": "x"}}, "示范银行"), "the chain ends at 6, its end was cut off"),
        ((days, closes, {7: {"hash": "x"}}, "示范银行"), "the chain was rewritten"),
        ((days, closes, events, "another"), "is of '示范银行'"),
        (([], closes, events, "示范银行"), "day 2019-12-30 v1 is closed, and no signed statement"),
    ):  # fmt: skip
        (wrong,) = statement_faults(*changed)  # type: ignore[arg-type]
        assert words in wrong


def test_a_journal_is_located_by_its_block() -> None:
    rows = {n: {"event_no": n, "event": f"e{n}", "told": False} for n in range(1, 2 * BLOCK_ROWS + 11)}
    numbered = list(rows.values())
    parts = [journal_part(1, numbered[: BLOCK_ROWS + 5], "event_no", frozenset({"told"}))]
    parts += [journal_part(parts[0].last + 1, numbered[BLOCK_ROWS + 5 : -3], "event_no", frozenset({"told"}))]
    days = [
        SignedDay(replace(SAID, custody_date=on), RegisterState({"j": p}, {}))
        for on, p in zip((FIRST, SECOND), parts, strict=True)
    ]
    assert journal_faults("j", rows, days) == []
    told = {**rows, 3: {**rows[3], "told": True}}
    assert journal_faults("j", told, days) == []
    changed = {**rows, BLOCK_ROWS + 2: {**rows[BLOCK_ROWS + 2], "event": "other"}}
    assert journal_faults("j", changed, days) == [
        f"j {BLOCK_ROWS + 1} to {BLOCK_ROWS + 5}: a row is not as it was signed with 2019-12-30"
    ]
    lost = {n: row for n, row in rows.items() if n != BLOCK_ROWS + 8}
    assert journal_faults("j", lost, days) == [f"j {BLOCK_ROWS + 8} (1 rows): signed with 2019-12-31, and no longer there"]
    assert journal_faults("j", rows, days[1:]) == [f"j 1 to {BLOCK_ROWS + 5}: no signed statement that is kept has them"]


def test_a_master_row_changes_by_a_deed_that_the_chain_has() -> None:
    def people(**roles: str) -> MasterRows:
        rows = [{"person_id": who, "roles": said} for who, said in roles.items()]
        return master_rows("person", ["person_id"], rows, ("person_id", "roles"))

    before, after = people(maker="[]", admin="[]"), people(maker="[x]", checker="[]")
    states = [(5, "", before), (9, "since then", after)]
    assert master_faults("person", states, {"maker": [7], "admin": [6], "checker": [9]}) == []
    assert master_faults("person", states, {"maker": [5], "admin": [10], "checker": []}) == [
        "person admin was removed since then: no audit event tells of it",
        "person checker was added since then: no audit event tells of it",
        "person maker was changed since then: no audit event tells of it",
    ]
    # The program's table has another column since: its digests say nothing of the earlier ones.
    assert master_faults("person", [(5, "", replace(before, columns=("person_id",))), states[1]], {}) == []


def test_the_next_key_takes_two_people_and_a_date_to_come(tmp_path: Path) -> None:
    def custody(*arguments: str) -> tuple[int, dict[str, str]]:
        done = CliRunner().invoke(app, [*arguments, "--json"], env={"CUSTODY_HOME": str(tmp_path / "home")})
        return done.exit_code, json.loads(done.stdout.splitlines()[-1])

    assert custody("init", "--bank", "b", "--go-live", "2019-12-30", "--sftp-port", "2222")[0] == 0
    common = ("--note", "yearly")
    assert custody("seal", "propose", "--from", "2020-01-07", "--as", "maker", *common)[1]["error"] == "NotPermitted"
    code, said = custody("seal", "propose", "--from", "2020-01-07", "--as", "admin", *common)
    assert code == 0
    assert custody("proposal", "approve", said["proposal"], "--as", "checker", "--note", "seen")[0] == 0
    code, shown = custody("seal", "signers")
    assert [key["valid_from"] for key in shown["keys"]] == ["2019-12-30", "2020-01-07"]  # type: ignore[index]
    refused = custody("seal", "propose", "--from", "2020-01-07", "--as", "admin", *common)[1]
    assert "was approved already" in refused["words"]
