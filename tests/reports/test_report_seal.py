"""The seal agrees with what it sealed, and finds what was changed; a third party needs its one file alone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sample_figures import SEALS

from reports import seal as seal_module
from reports.seal import make_seal, verify_seal

FILES = {"b.csv": b"two", "a.xlsx": b"one"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def sealed() -> bytes:
    return make_seal(FILES, SEALS, "custody_monthly", "2019-12")


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    seal = json.loads(sealed())
    change(seal)
    return json.dumps(seal).encode()


def test_the_seal_agrees_with_its_files(folder: Path) -> None:
    assert verify_seal(sealed(), folder) == []


def test_the_seal_has_one_spelling() -> None:
    again = make_seal(dict(reversed(list(FILES.items()))), SEALS[::-1], "custody_monthly", "2019-12")
    assert again == sealed()
    seal = json.loads(sealed())
    assert [file["name"] for file in seal["files"]] == ["a.xlsx", "b.csv"]
    # printf one | sha256sum
    assert seal["files"][0]["sha256"] == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert [item["custody_date"] for item in seal["inputs"]] == ["2019-12-30", "2019-12-31"]


def test_a_missing_file(folder: Path) -> None:
    (folder / "b.csv").unlink()
    assert verify_seal(sealed(), folder) == ["b.csv is missing / 缺少文件 b.csv"]


def test_a_file_of_other_size_or_other_bytes(folder: Path) -> None:
    (folder / "a.xlsx").write_bytes(b"one and more")
    (folder / "b.csv").write_bytes(b"owt")
    first, second = verify_seal(sealed(), folder)
    assert first.startswith("a.xlsx was changed: 12 bytes, the seal says 3")
    assert second.startswith("b.csv was changed: SHA-256")


def test_a_link_in_place_of_a_file(folder: Path) -> None:
    (folder / "kept").write_bytes(FILES["a.xlsx"])
    (folder / "a.xlsx").unlink()
    (folder / "a.xlsx").symlink_to(folder / "kept")
    (difference,) = verify_seal(sealed(), folder)
    assert "not a regular file" in difference


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.update(note="x"), "extra field note"),
        (lambda s: s["files"][0].update(note="x"), "extra field note"),
        (lambda s: s["inputs"][0].update(note="x"), "extra field note"),
        (lambda s: s.pop("inputs"), "field inputs is missing"),
        (lambda s: s["files"][0].pop("sha256"), "field sha256 is missing"),
        (lambda s: s.update(format="report-seal/2"), "the format is"),
        (lambda s: s.update(period="2019-13"), "period is"),
        (lambda s: s.update(files=[]), "not empty"),
        (lambda s: s["files"][0].update(name="../a.xlsx"), "a file is not named"),
        (lambda s: s["files"][0].update(name="/etc/passwd"), "a file is not named"),
        (lambda s: s["files"][0].update(bytes=True), "a file is not named"),
        (lambda s: s["files"].append(s["files"][0]), "named twice"),
        (lambda s: s["inputs"][0].update(manifest_digest="x"), "an input is not"),
        (lambda s: s["inputs"][0].update(custody_date="20191230"), "an input is not"),
    ],
)
def test_a_seal_of_wrong_form(folder: Path, change: Callable[[dict[str, Any]], object], words: str) -> None:
    (fault,) = verify_seal(changed(change), folder)
    assert words in fault


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b'{"format": 1, "format": 2}'])
def test_what_is_no_seal(folder: Path, data: bytes) -> None:
    assert len(verify_seal(data, folder)) == 1


@pytest.mark.parametrize("name", ["../a", "a/b", ".hidden", "", "a b"])
def test_names_that_are_not_sealed(name: str) -> None:
    with pytest.raises(ValueError, match="named"):
        make_seal({name: b""}, SEALS, "custody_monthly", "2019-12")


def test_a_third_party_needs_this_one_file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("third_party")
    script = shutil.copy(seal_module.__file__, elsewhere / "seal.py")
    (elsewhere / "seal.json").write_bytes(sealed())
    # -I: no site packages of ours, no path but the standard library's.
    command = [sys.executable, "-I", "-S", str(script), str(elsewhere / "seal.json"), str(folder)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (folder / "a.xlsx").write_bytes(b"eno")
    found = subprocess.run(command, capture_output=True, check=False)
    assert found.returncode == 1
    assert b"a.xlsx was changed" in found.stdout
