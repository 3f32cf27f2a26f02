"""File names and seals: what is ours, and in one line why something is not."""

import json
from datetime import date
from typing import Any

import pytest

from custody.digest import digest_of
from schemas.exchange import MAX_SEAL_BYTES, ExchangeName, Seal, SealedFile, parse_name, parse_seal


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("P001_TXN_20191230_01_v1.csv", ("P001", "TXN", date(2019, 12, 30), 1, 1)),
        ("CH01_SETTLEMENT_20200229_99_v99.csv", ("CH01", "SETTLEMENT", date(2020, 2, 29), 99, 99)),
        ("GW_SEAL_20191230_01_v2.json", ("GW", "SEAL", date(2019, 12, 30), 1, 2)),
        ("P001_RECON_RESULT_20191230_01_v1.csv", ("P001", "RECON_RESULT", date(2019, 12, 30), 1, 1)),
    ],
)
def test_a_name_of_ours(text: str, parts: tuple[str, str, date, int, int]) -> None:
    found = parse_name(text)
    assert found == ExchangeName(*parts)
    assert str(found) == text
    assert found.is_seal == text.endswith(".json")


@pytest.mark.parametrize(
    "text",
    [
        "", "P001_TXN_20191230_01_v1.csv.part", "p001_TXN_20191230_01_v1.csv", "P001_TXN_20190229_01_v1.csv",
        "P001_TXN_20191230_1_v1.csv", "P001_TXN_20191230_01_v0.csv", "P001_TXN_20191230_01_v01.csv",
        "P001_TXN_20191230_01_v100.csv", "P001_TXN_20191230_01_v1.json", "P001_SEAL_20191230_01_v1.csv",
        "../P001_TXN_20191230_01_v1.csv", "P001_TXN_20191230_01_v1.csv\n", "P001/TXN_20191230_01_v1.csv",
        "P001_TXN_２０１９1230_01_v1.csv", "P001_TXN_20191230_01_V1.csv", "P_TXN_20191230_01_v1.csv",
    ],
)  # fmt: skip
def test_another_name_is_not_ours(text: str) -> None:
    assert parse_name(text) is None


def seal(**other: Any) -> bytes:
    file: dict[str, Any] = {
        "name": "P001_TXN_20191230_01_v1.csv", "layout": "platform_txn/1", "encoding": "utf-8", "bytes": 10, "rows": 1,
        "sha256": "0" * 64, "totals": {"amount": "1.00"}, "batches": 1,
    }  # fmt: skip
    inner = other.pop("file", {})
    body: dict[str, Any] = {"party": "P001", "custody_date": "2019-12-30", "batch": 1, "version": 1, "files": [file | inner]}
    return json.dumps(body | other).encode()


def test_a_seal_is_read_and_written_back() -> None:
    read = parse_seal(seal())
    assert isinstance(read, Seal)
    assert read.files[0].totals == {"amount": "1.00"}
    assert parse_seal(read.to_bytes()) == read
    assert read.to_bytes() == read.to_bytes()


def test_a_seal_by_sm3_is_read_and_says_nothing_else() -> None:
    # GB/T 32905, appendix A.1: "abc".
    sm3 = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert digest_of("sm3", [b"a", b"bc"]) == sm3
    read = parse_seal(seal(file={"sha256": None, "sm3": sm3}))
    assert isinstance(read, Seal) and read.files[0].digest == ("sm3", sm3)
    told = SealedFile(**read.files[0].model_dump(exclude={"sha256"}))
    assert b"sha256" not in Seal(**{**read.model_dump(), "files": [told]}).to_bytes()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[]", "object"),
        (seal()[:-1], "JSON"),
        (seal(extra=1), "extra"),
        (seal(version=0), "version"),
        (seal(version=100), "version"),
        (seal(batch="1"), "batch"),
        (seal(custody_date="20191230"), "custody_date"),
        (seal(file={"bytes": -1}), "files.0.bytes"),
        (seal(file={"rows": 1.5}), "files.0.rows"),
        (seal(file={"sha256": "0" * 63}), "files.0.sha256"),
        (seal(file={"sha256": "A" * 64}), "files.0.sha256"),
        (seal(file={"sm3": "0" * 64}), "one digest"),
        (seal(file={"sha256": None}), "one digest"),
        (seal(file={"totals": {"amount": 1}}), "files.0.totals"),
        (seal(file={"totals": {"amount": "٣"}}), "files.0.totals"),
        (seal(file={"totals": {"amount": "9" * 5_000}}), "files.0.totals"),
        (seal(file={"totals": {f"x{n}": "1.00" for n in range(51)}}), "files.0.totals"),
        (seal(file={"surprise": 1}), "files.0.surprise"),
        (seal(file={"batches": 0}), "files.0.batches"),
        (b" " * (MAX_SEAL_BYTES + 1), "larger than"),
        (b"[" * 200_000, ""),
        (b'{"files": [', "seal: Invalid JSON"),
    ],
)
def test_what_is_no_seal_says_why_in_one_line(data: bytes, words: str) -> None:
    why = parse_seal(data)
    assert isinstance(why, str)
    assert words in why
    assert "\n" not in why
    assert len(why) <= 200
