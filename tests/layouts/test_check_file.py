"""``custody check-file``: what a platform learns before it sends, without an instance of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from dialects_kit import SAMPLES
from typer.testing import CliRunner

from console.cli import app
from schemas.exchange import Seal, SealedFile
from schemas.layout import load_layout
from schemas.layout_example import example_file, example_seal

NAME, SEAL = "P001_TXN_20191230_01_v1.csv", "P001_SEAL_20191230_01_v1.json"
TXN = load_layout("platform_txn/1")


@pytest.fixture(autouse=True)
def _no_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUSTODY_HOME", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file set as it is sent: the layout's own example and its seal."""
    (tmp_path / NAME).write_bytes(example_file(TXN, "utf-8"))
    (tmp_path / SEAL).write_bytes(example_seal(TXN))
    return tmp_path


def run(*line: object) -> Result:
    return CliRunner().invoke(app, ["check-file", *map(str, line)])


def answer(*line: object) -> tuple[int, dict[str, Any]]:
    result = run(*line, "--json")
    return result.exit_code, json.loads(result.stdout)


def rules(found: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(f["line"], f["field"], f["rule"]) for f in found["faults"]]


def test_a_good_set_passes_against_its_seal(folder: Path) -> None:
    code, found = answer(folder / NAME)
    assert (code, found["seal"], found["rows"], found["good"], found["faults"]) == (0, SEAL, 2, 2, [])
    words = run(folder / NAME)
    assert words.exit_code == 0
    assert f"checked against 已核对封签 {SEAL}" in words.stdout


def test_without_a_seal_the_entry_that_fits_is_given(folder: Path) -> None:
    (folder / SEAL).unlink()
    code, found = answer(folder / NAME)
    assert (code, found["seal"]) == (0, None)
    seal = Seal(party="P001", custody_date="2019-12-30", batch=1, version=1, files=[SealedFile(**found["entry"])])
    (folder / SEAL).write_bytes(seal.to_bytes())
    assert answer(folder / NAME)[0] == 0
    assert answer(folder / NAME)[1]["seal"] == SEAL


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bytes": 1}, "size"),
        ({"sha256": "0" * 64}, "digest"),
        ({"rows": 3}, "row_count"),
        ({"totals": {"amount": "0.01"}}, "control_total"),
        ({"encoding": "gb18030"}, "encoding"),
        ({"layout": "platform_txn/9"}, "unknown_layout"),
        ({"name": "P001_TXN_20191230_02_v1.csv"}, "no_seal"),
    ],
)
def test_each_thing_that_the_seal_says_is_checked(folder: Path, change: dict[str, object], expected: str) -> None:
    raw = json.loads((folder / SEAL).read_bytes())
    raw["files"][0] |= change
    (folder / SEAL).write_text(json.dumps(raw), encoding="utf-8")
    code, found = answer(folder / NAME, "--encoding", "utf-8")
    assert (code, rules(found)) == (1, [(0, "", expected)])
    assert all(found["faults"][0][part] for part in ("en", "zh", "to_do_en", "to_do_zh"))


def test_a_seal_of_another_party_or_no_seal_at_all_is_a_finding(folder: Path) -> None:
    raw = json.loads((folder / SEAL).read_bytes())
    (folder / SEAL).write_text(json.dumps(raw | {"party": "P002"}), encoding="utf-8")
    assert rules(answer(folder / NAME)[1]) == [(0, "", "wrong_party")]
    (folder / SEAL).write_bytes(b"{")
    assert rules(answer(folder / NAME)[1]) == [(0, "", "seal_unreadable")]
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / SEAL).rename(elsewhere / SEAL)
    (elsewhere / SEAL).write_bytes(example_seal(TXN))
    assert answer(folder / NAME, "--seal", elsewhere / SEAL)[1]["seal"] == SEAL


def test_each_fault_says_where_what_and_what_to_do(folder: Path) -> None:
    (folder / SEAL).unlink()
    data = (
        example_file(TXN, "utf-8")
        .replace(b",8.50,", b",8.505,", 1)
        .replace(b"SUCCESS,2019-12-30T10", b"[b]GOOD,2019-12-30T10", 1)
    )
    (folder / NAME).write_bytes(data)
    code, found = answer(folder / NAME)
    assert (code, rules(found), found["entry"]) == (1, [(2, "interest", "amount"), (2, "status", "codes")], None)
    words = run(folder / NAME)
    assert words.exit_code == 1
    for text in ("interest", "8.505", "[b]GOOD", "what to do 处理办法", "2 rows, 1 good, 2 faults 共 2 行，合格 1 行，差错 2 条"):
        assert text in words.stdout


def test_a_bad_export_shows_a_bounded_number_of_rows_and_the_full_count(folder: Path) -> None:
    (folder / SEAL).unlink()
    header, row, _ = example_file(TXN, "utf-8").splitlines(keepends=True)
    (folder / NAME).write_bytes(header + row.replace(b"CNY", b"USD") * 500)
    code, found = answer(folder / NAME, "--limit", 7)
    assert (code, found["fault_count"], len(found["faults"])) == (1, 500, 7)
    words = run(folder / NAME)
    assert words.stdout.count("USD") == 50
    assert "450 more of 500 faults" in words.stdout


def test_a_file_in_the_other_encoding_is_told_so(folder: Path) -> None:
    (folder / SEAL).unlink()
    loan = load_layout("platform_loan/1")
    file = folder / "P001_LOAN_20191230_01_v1.csv"
    file.write_bytes(example_file(loan, "gb18030"))
    words = run(file)
    assert words.exit_code == 1
    assert "check it with --encoding gb18030" in words.stdout
    assert answer(file, "--encoding", "gb18030")[0] == 0


def test_fixed_width_shows_record_and_bytes_and_reads_the_date_in_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "3005-ALEVE0001-20200101"
    data = (SAMPLES / "jixin_aleve_v1.dat").read_bytes()
    file.write_bytes(data)
    assert answer(file)[0] == 0
    file.write_bytes(data[: 372 * 2 + 40] + b"840" + data[372 * 2 + 43 :])
    code, found = answer(file)
    assert (code, found["layout"], rules(found)) == (1, "jixin_aleve/1", [(3, "cur_num", "codes")])
    words = run(file)
    assert "record 记录" in words.stdout
    assert "cur_num 41–43" in words.stdout


def test_a_dialect_s_own_name_has_to_be_changed_before_sending(tmp_path: Path) -> None:
    file = tmp_path / "898310000000001_20200101.zip"
    file.write_bytes((SAMPLES / "unionpay_zm_v1.zip").read_bytes())
    code, found = answer(file)
    assert (code, found["layout"], found["name_fits"]) == (0, "unionpay_zm/1", False)
    assert "before sending, rename it" in run(file).stdout


def test_two_inner_layouts_under_one_name_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "3005-EVE0001-20200101"
    file.write_bytes((SAMPLES / "jixin_eve_v2.dat").read_bytes())
    assert run(file).exit_code == 2
    assert answer(file, "--layout", "jixin_eve/2")[0] == 0
    assert answer(file, "--layout", "jixin_eve/1")[0] == 1


def test_what_cannot_be_checked_is_exit_code_2(folder: Path) -> None:
    nameless = folder / "some.csv"
    nameless.write_bytes(example_file(TXN, "utf-8"))
    eve = folder / "eve.dat"
    eve.write_bytes((SAMPLES / "jixin_eve_v2.dat").read_bytes())
    for line in (
        [folder / "nothing.csv"],
        [nameless],
        [folder / NAME, "--layout", "platform_txn/9"],
        [folder / NAME, "--encoding", "latin-1"],
        [folder / NAME, "--date", "30.12.2019"],
        [folder / NAME, "--seal", folder / "none.json"],
        [folder],
        [eve, "--layout", "jixin_eve/2"],
    ):
        assert run(*line).exit_code == 2, line
    assert answer(nameless, "--layout", "platform_txn/1")[0] == 0
    assert answer(eve, "--layout", "jixin_eve/2", "--date", "2020-01-01")[0] == 0
