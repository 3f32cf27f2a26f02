"""What a sender may put into a file to hurt its reader (domain.md §5): each is refused with its reason, in bounded memory, by the command
that a platform runs before it sends; landing reads by the same code."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console.cli import app
from schemas.layout import load_layout

CLAIM = load_layout("platform_claim/1")
CUSTOMER = load_layout("platform_customer/1")
GOOD = b"T1,L1,LENDER,u1,100.00,CNY\n"
HEADER = CLAIM.header.encode()
MEGABYTE = 1024 * 1024
# The soak sends a whole gigabyte, the largest file that the drop takes.
SIZE = 1024 * MEGABYTE - 1 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 48 * MEGABYTE
# Python, Arrow and the program by themselves.
_AT_REST_MIB = 200
# A hundred thousand of them (schemas.layout_file.MAX_REJECTED).
_FINDINGS_MIB = 150

_RUN = """
import sys
from console.cli import main
from simulator.memory import peak_mib
sys.argv = ["custody", "check-file", *sys.argv[1:], "--json"]
code = 0
try:
    main()
except SystemExit as end:
    code = end.code or 0
print(int(peak_mib()), file=sys.stderr)
sys.exit(code)
"""


def checked(path: Path, *more: str) -> tuple[int, dict[str, Any], int]:
    """(exit code, answer, peak MiB) in a process of its own."""
    done = subprocess.run([sys.executable, "-c", _RUN, str(path), *more], capture_output=True, text=True, timeout=600)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), int(done.stderr.split()[-1])


def said(path: Path) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["check-file", str(path), "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout)


def rules(answer: dict[str, Any]) -> set[str]:
    return {fault["rule"] for fault in answer["faults"]}


LARGE: dict[str, tuple[Callable[[], bytes], str]] = {
    "one_line_without_end": (lambda: HEADER + b"\n" + b"A" * SIZE, "line_too_long"),
    "a_header_without_end": (lambda: b"A" * SIZE, "header"),
    "a_header_of_columns_without_end": (lambda: b"a," * (SIZE // 2) + b"\n" + GOOD, "header"),
    "a_row_of_columns_without_end": (lambda: HEADER + b"\n" + b"," * SIZE + b"\n" + GOOD, "line_too_long"),
    "a_million_columns": (lambda: HEADER + b"\n" + b"," * 1_000_000 + b"\n" + GOOD, "line_too_long"),
    "nothing_but_nul": (lambda: b"\0" * SIZE, "header"),
    "nothing_but_line_ends": (lambda: HEADER + b"\n" * SIZE, "too_many_rejected"),
}


@pytest.mark.parametrize("kind", LARGE)
def test_what_is_too_much_is_refused_in_bounded_memory(kind: str, tmp_path: Path) -> None:
    made, rule = LARGE[kind]
    path = tmp_path / "P001_CLAIM_20191230_01_v1.csv"
    path.write_bytes(made())
    code, answer, mib = checked(path)
    assert (code, rule in rules(answer)) == (1, True), answer
    # The file itself and what one pass over it may take, and the findings that are listed; nothing for each column or line.
    assert mib < _AT_REST_MIB + _FINDINGS_MIB + 4 * path.stat().st_size // MEGABYTE


SMALL: dict[str, tuple[bytes, str]] = {
    "nul_in_a_field": (b"T1,L1,LENDER,u\x001,100.00,CNY\n", "control_character"),
    "a_control_character": (b"T1,L1,LENDER,u\x1b[31m1,100.00,CNY\n", "control_character"),
    "full_width_digits": ("T1,L1,LENDER,u1,１００.００,CNY\n".encode(), "amount"),
    "arabic_digits": ("T1,L1,LENDER,u1,١٠٠.٠٠,CNY\n".encode(), "amount"),
    "a_sign_in_another_script": ("T1,L1,LENDER,u1,−100.00,CNY\n".encode(), "amount"),
    "not_a_number": (b"T1,L1,LENDER,u1,NaN,CNY\n", "amount"),
    "an_exponent": (b"T1,L1,LENDER,u1,1e9,CNY\n", "amount"),
    "more_than_an_amount_may_be": (b"T1,L1,LENDER,u1,99999999999999999999.00,CNY\n", "amount"),
    "a_formula_for_an_id": (b"=1+1,L1,LENDER,u1,100.00,CNY\n", "pattern"),
    "a_path_for_an_id": (b"../../etc/passwd,L1,LENDER,u1,100.00,CNY\n", "pattern"),
    "letters_of_another_script_for_an_id": ("Т1,L1,LENDER,u1,100.00,CNY\n".encode(), "pattern"),
}


@pytest.mark.parametrize("kind", SMALL)
def test_what_is_not_meant_as_it_looks_is_a_rejected_row(kind: str, tmp_path: Path) -> None:
    row, rule = SMALL[kind]
    path = tmp_path / "P001_CLAIM_20191230_01_v1.csv"
    path.write_bytes(HEADER + b"\n" + row + GOOD)
    code, answer = said(path)
    assert (code, rules(answer)) == (1, {rule}), answer
    assert {fault["line"] for fault in answer["faults"]} == {2} and answer["good"] == 1
    assert all(fault[part] for fault in answer["faults"] for part in ("en", "zh", "to_do_en", "to_do_zh"))


@pytest.mark.parametrize(
    "heading",
    [b"\xef\xbb\xbf\xef\xbb\xbf" + HEADER, HEADER + b"\x1b[2J", HEADER.replace(b",", b"\x1f"), b"\0" * 20, HEADER + b"\xc2\x85"],
)
def test_what_a_finding_quotes_neither_hides_nor_steers_a_terminal(heading: bytes, tmp_path: Path) -> None:
    """A heading, a cell and a whole line were quoted as they came (found by fuzzing)."""
    path = tmp_path / "P001_CLAIM_20191230_01_v1.csv"
    for data in (heading + b"\n" + GOOD, HEADER + b"\nT\x1b1,L1,LENDER,u1,1\x1b[31m,CNY\n", HEADER + b"\n" + heading + b"\n"):
        path.write_bytes(data)
        code, answer = said(path)
        assert code == 1 and answer["faults"]
        for fault in answer["faults"]:
            assert all(str(part).isprintable() for part in fault.values()), fault


def test_what_a_finding_quotes_is_bounded(tmp_path: Path) -> None:
    """The words about an amount had the whole cell in them: sixteen thousand characters for each of a hundred thousand rows."""
    path = tmp_path / "P001_CLAIM_20191230_01_v1.csv"
    path.write_bytes(HEADER + b"\nT1,L1,LENDER,u1," + b"9" * 16_000 + b",CNY\n")
    (fault,) = said(path)[1]["faults"]
    assert fault["rule"] == "amount" and max(len(str(part)) for part in fault.values()) < 300


@pytest.mark.parametrize("name", ["张\u202e三", "张\u200b三", "张\ufeff三"])
def test_a_name_that_reads_otherwise_than_it_is_written_is_rejected(name: str, tmp_path: Path) -> None:
    path = tmp_path / "P001_CUSTOMER_20191230_01_v1.csv"
    row = f"u1,LENDER,OPEN,PERSON,ID,11010519491231002X,{name},13812345678,,2019-12-30T10:00:00"
    path.write_bytes(f"{CUSTOMER.header}\n{row}\n".encode())
    code, answer = said(path)
    assert (code, {fault["field"] for fault in answer["faults"]}) == (1, {"name"}), answer


@pytest.mark.parametrize("header", [HEADER + b",principal", HEADER.replace(b"loan_id", b"claim_id"), HEADER.upper()])
def test_a_header_that_repeats_or_renames_a_column_stops_the_file(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "P001_CLAIM_20191230_01_v1.csv"
    path.write_bytes(header + b"\n" + GOOD)
    code, answer = said(path)
    assert (code, rules(answer), answer["rows"]) == (1, {"header"}, 0)


def _zip(entries: dict[str, bytes], level: int = 9) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def _as_sent(zipped: bytes) -> bytes:
    return b"resp_body=" + base64.b64encode(zipped)


def test_a_small_file_that_unpacks_without_end_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    bomb = _zip({"20191230.txt": b"0" * (300 * MEGABYTE)}, 1)
    inside = _zip({"20191230.txt": bomb})
    assert len(bomb) < 3 * MEGABYTE
    path = tmp_path / "fi_100001_20191230.txt"
    for data in (bomb, inside):
        path.write_bytes(_as_sent(data))
        code, answer, mib = checked(path, "--layout", "baofoo_fi/1", "--date", "2019-12-30")
        assert code == 1 and rules(answer), answer
        # The layout takes up to 200 MB unpacked; no more than that is ever read, whatever the archive says of itself.
        assert mib < _AT_REST_MIB + 2 * 200
    path.write_bytes(_as_sent(_zip({f"{number}.txt": b"" for number in range(20_000)})))
    code, answer, _ = checked(path, "--layout", "baofoo_fi/1", "--date", "2019-12-30")
    assert (code, rules(answer)) == (1, {"envelope_too_large"})
