"""What files come wrapped in: opened within bounds, refused in words, and closed to the same bytes."""

import io
import json
import zipfile
from datetime import date
from pathlib import Path

import pytest
from layout_kit import declare, field

from schemas.envelope import BadEnvelope, Step, close_envelope, open_envelope
from schemas.layout_file import parse_file, write_file

DAY = date(2019, 12, 30)
ZIP = Step("zip", entry="A[0-9]{8}[.]txt", write_as="A{custody_date:%Y%m%d}.txt", max_bytes=1000)
BASE64 = Step("base64", max_bytes=2000)
FORM = Step("form", member="file")
JSON = Step("json", member="data.FILE")


def zipped(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_", "."), content)
    return out.getvalue()


@pytest.mark.parametrize("steps", [[ZIP], [BASE64], [FORM, BASE64], [JSON, BASE64, ZIP], [JSON], [FORM, BASE64, ZIP]])
def test_what_is_closed_is_opened(steps: list[Step]) -> None:
    content = "张三,1.00\n".encode() * 20
    closed = close_envelope(steps, content, DAY)
    assert open_envelope(steps, closed) == content
    assert close_envelope(steps, content, DAY) == closed


def test_the_entry_is_found_by_its_name_whatever_its_folder() -> None:
    assert open_envelope([ZIP], zipped(**{"day/A20191230_txt": b"yes", "B20191230_txt": b"no"})) == b"yes"
    assert open_envelope([ZIP], zipped(**{"../../A20191230_txt": b"yes"})) == b"yes"  # nothing is written anywhere


def test_other_members_of_a_reply_are_passed_over() -> None:
    assert open_envelope([FORM], b"resp_code=0000&file=QUJD+/==&x=") == b"QUJD+/=="
    assert open_envelope([JSON], json.dumps({"data": {"FILE": "甲"}, "code": 0}).encode()) == "甲".encode()


ENCRYPTED = bytearray(zipped(A20191230_txt=b"x"))
ENCRYPTED[6] |= 1
ENCRYPTED[ENCRYPTED.index(b"PK\x01\x02") + 8] |= 1


@pytest.mark.parametrize(
    ("step", "data", "rule"),
    [
        (ZIP, b"not a zip", "envelope_zip"),
        (ZIP, zipped(A20191230_txt=b"x" * 500)[:-30], "envelope_zip"),
        (ZIP, bytes(ENCRYPTED), "envelope_zip"),
        (ZIP, zipped(B_txt=b"x"), "envelope_entry"),
        (ZIP, zipped(A20191230_txt=b"x", A20191231_txt=b"x"), "envelope_entry"),
        (ZIP, zipped(A20191230_txt=b"\0" * 1001), "envelope_too_large"),
        (ZIP, zipped(A20191230_txt=b"\0" * 5_000_000), "envelope_too_large"),
        (ZIP, zipped(**{f"E{n}": b"" for n in range(1001)}), "envelope_too_large"),
        (BASE64, b"A" * 4000, "envelope_too_large"),
        (BASE64, b"QUJ", "envelope_base64"),
        (BASE64, b"QU?=", "envelope_base64"),
        (FORM, b"resp_code=0000", "envelope_member"),
        (FORM, b"file=a&file=b", "envelope_member"),
        (JSON, b"{", "envelope_json"),
        (JSON, b"\xff", "envelope_json"),
        (JSON, b"[" * 100_000, "envelope_json"),
        (JSON, b'{"data": {}}', "envelope_member"),
        (JSON, b'{"data": {"FILE": 1}}', "envelope_member"),
        (JSON, b"[]", "envelope_member"),
    ],
)
def test_what_does_not_open_is_refused(step: Step, data: bytes, rule: str) -> None:
    with pytest.raises(BadEnvelope) as caught:
        open_envelope([step], data)
    assert caught.value.rule == rule


def test_a_layouts_file_is_opened_and_a_bad_one_is_a_fault_of_the_file(tmp_path: Path) -> None:
    entry = {"entry": "A[0-9]{8}[.]txt", "write_as": "A{custody_date:%Y%m%d}.txt", "max_bytes": 1000}
    layout = declare(tmp_path, field("a"), envelope=[{"base64": {"max_bytes": 10_000}}, {"zip": entry}])
    data = write_file(layout, [{"a": "张三"}], "gb18030", DAY)
    assert data.isascii()
    assert parse_file(layout, "F", data, "gb18030", DAY).rows == [{"a": "张三", "line_no": 1}]
    refused = parse_file(layout, "F", b"junk!", "gb18030", DAY)
    assert [f.rule for f in refused.file_faults] == ["envelope_base64"]
    assert all(all(f.words) for f in refused.file_faults)
