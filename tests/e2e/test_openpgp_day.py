"""A platform whose files come encrypted and signed: its day lands and posts as that of one that sends them in clear, is told so under
its own key, and comes out of the archive again."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from instance_kit import GO_LIVE, Instance, copy_core, make_instance, make_world, opened
from pysequoia import Cert, Tsk, decrypt, encrypt
from typer.testing import CliRunner

from connectors.openpgp import bank_certificate, openpgp_key
from console.cli import app
from custody.calendar import custody_date_of
from custody.ports import Row
from custody.services.contract_changes import CONTRACT, propose_contract
from custody.services.four_eyes import approve
from custody.services.organisations import party
from custody.services.party_keys import KEY, propose_key
from schemas.exchange import Seal, SealedFile, sha256_hex

WRAPPED = "P001"
BOTH = ["ENCRYPTED", "SIGNED"]
STEPS = ("cut_off", "land", "validate", "extract", "post", "project", "reconcile")


def _agree(instance: Instance, theirs: Tsk) -> None:
    register, clock = instance.wiring.register, instance.wiring.clock
    today = custody_date_of(clock.now())
    key = openpgp_key(str(theirs.extract_certificate()), today)
    assert key is not None
    added = propose_key(register, clock, "maker", WRAPPED, key, today, None, "")
    approve(register, clock, "checker", KEY, added, "")
    with register.transaction() as tx:
        standing = party(tx, WRAPPED)
    assert standing is not None
    contract = {**standing.contract, "openpgp": {"in": BOTH, "out": BOTH}}
    changed = propose_contract(register, clock, "maker", WRAPPED, contract, None, "as the bank asks")
    approve(register, clock, "checker", CONTRACT, changed, "")


def _wrapped(folder: Path, bank: Cert, theirs: Tsk) -> dict[str, bytes]:
    """The party's files of a date as messages, and its seals as they speak of these."""
    files: dict[str, bytes] = {}
    for path in sorted(folder.glob("*.csv")):
        files[f"{path.name}.pgp"] = encrypt(path.read_bytes(), recipients=[bank], signer=theirs.signer(), armor=False)
    for path in sorted(folder.glob("*.json")):
        seal = Seal.model_validate_json(path.read_bytes())
        said = [
            SealedFile(
                **one.model_dump(exclude={"name", "bytes", "sha256", "sm3"}),
                name=f"{one.name}.pgp",
                bytes=len(files[f"{one.name}.pgp"]),
                sha256=sha256_hex(files[f"{one.name}.pgp"]),
            )
            for one in seal.files
        ]
        files[path.name] = seal.model_copy(update={"files": said}).to_bytes()
    return files


def _known(cert: Cert, _issuers: list[str]) -> list[Cert]:
    return [cert]


def _rows(instance: Instance, step: str, table: str) -> list[Row]:
    """Without what names a file: it is called otherwise."""
    return [{n: v for n, v in row.items() if n != "file_name"} for row in instance.lake_rows(GO_LIVE, step, table)]


def test_a_day_of_encrypted_files_is_the_day_of_the_files_in_clear(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [], 11, platforms=2, channels=1, days=1)
    theirs = Tsk.generate(WRAPPED)
    found = {}
    for how in ("clear", "wrapped"):
        home = make_instance(tmp_path / how, world)
        with opened(home) as instance:
            if how == "wrapped":
                _agree(instance, theirs)
                bank = Cert.from_bytes(bank_certificate(home / "keys" / "openpgp.asc").encode())
                for name, data in _wrapped(world / GO_LIVE.isoformat() / WRAPPED, bank, theirs).items():
                    instance.drop.put(WRAPPED, name, data)
                instance.deliver(world, GO_LIVE, without=[WRAPPED])
                files = instance.find("file", party=WRAPPED, state="ACCEPTED")
                assert files and all(f["file_name"].endswith(".csv.pgp") and f["plain_ref"] for f in files)
            else:
                instance.deliver(world, GO_LIVE)
            copy_core(instance, world, GO_LIVE)
            instance.run_day(GO_LIVE, STEPS)
            assert instance.failing_proofs() == []
            names = [("land", table) for table in ("land_txn", "land_balance", "land_claim")] + [("post", "ledger_txn")]
            found[how] = {name: _rows(instance, *name) for name in names}
            if how == "wrapped":
                sealed = {f["file_name"]: f["archive_ref"] for f in instance.lake_rows(GO_LIVE, "cut_off", "accepted_files")}
                assert all(sealed[f["file_name"]] == f["plain_ref"] for f in files)
                ((name, message),) = [(n, m) for n, m in instance.drop.sent[WRAPPED].items() if "_RECEIPT_" in n][:1]
                answer = decrypt(message, decryptor=theirs.decryptor(), store=partial(_known, bank)).bytes
                assert name.endswith(".json.pgp") and answer is not None and json.loads(answer)["party"] == WRAPPED
    assert found["clear"] == found["wrapped"]
    assert found["clear"]["land", "land_txn"]
    answer = CliRunner().invoke(
        app, ["replay", "--into", str(tmp_path / "replay"), "--json"], env={"CUSTODY_HOME": str(tmp_path / "wrapped")}
    )
    assert answer.exit_code == 0, answer.output
