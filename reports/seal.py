"""The seal of a released report: which files, which bytes, from which sealed inputs.

Standard library alone, and no other module of ours, so that a third party can check a report without us (domain.md §9):
``python seal.py SEAL FOLDER``. The seal shows that the files are those it names; that the seal itself is the bank's
shows its signature or the release register, which keep the SHA-256 of the seal.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

FORMAT = "report-seal/1"
_FIELDS = {"format", "report_id", "period", "files", "inputs"}
_FILE_FIELDS = {"name", "bytes", "sha256"}
_INPUT_FIELDS = {"custody_date", "step", "version", "manifest_digest"}
# A plain file name: no folder, nothing hidden, nothing a shell or another system reads differently.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_STEP = re.compile(r"[a-z_]{1,40}", re.ASCII)
_PERIOD = re.compile(r"[0-9]{4}(-Q[1-4]|-(0[1-9]|1[0-2])(-[0-9]{2})?)?", re.ASCII)


def make_seal(files: Mapping[str, bytes], inputs: Iterable[Mapping[str, str | int]], report_id: str, period: str) -> bytes:
    """The seal of these files: JSON with one spelling (files and inputs sorted), ending in a line feed.

    ``inputs`` are the seals of the steps that the report was made from, each {custody_date, step, version,
    manifest_digest}. Raises ValueError for a name that is not a plain file name, or a seal that would not verify.
    """
    seal = {
        "format": FORMAT,
        "report_id": report_id,
        "period": period,
        "files": [
            {"name": name, "bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()} for name in sorted(files)
        ],
        "inputs": sorted((dict(item) for item in inputs), key=lambda item: json.dumps(item, sort_keys=True)),
    }
    faults = _form_faults(seal)
    if faults:
        raise ValueError("; ".join(faults))
    return (json.dumps(seal, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def verify_seal(seal_bytes: bytes, folder: Path) -> list[str]:
    """The differences between the seal and the files in ``folder``, in words (English / Chinese); none = they agree.

    A file that the seal does not name is not covered by it, and is not looked at.
    """
    try:
        seal = json.loads(seal_bytes.decode("utf-8"), object_pairs_hook=_no_repeats)
    except ValueError as why:  # bad UTF-8, bad JSON, a repeated field
        return [f"the seal cannot be read: {why} / 封签无法读取"]
    faults = _form_faults(seal)
    if faults:
        return faults
    differences = []
    for file in seal["files"]:
        difference = _file_difference(folder, file["name"], file["bytes"], file["sha256"])
        if difference is not None:
            differences.append(difference)
    return differences


def _file_difference(folder: Path, name: str, size: int, sha256: str) -> str | None:
    path = folder / name
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return f"{name} is not a regular file / {name} 不是普通文件"
    if not path.exists():
        return f"{name} is missing / 缺少文件 {name}"
    found = path.stat().st_size
    if found != size:
        return f"{name} was changed: {found} bytes, the seal says {size} / {name} 已被更改：{found} 字节，封签为 {size} 字节"
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != sha256:
        return f"{name} was changed: SHA-256 {digest}, the seal says {sha256} / {name} 已被更改：SHA-256 与封签不符"
    return None


def _form_faults(seal: object) -> list[str]:
    """What keeps this from being a seal: fields missing or extra, and values of the wrong form."""
    if not isinstance(seal, dict):
        return ["the seal is not a JSON object / 封签不是 JSON 对象"]
    faults = _field_faults("seal", seal, _FIELDS)
    if faults:
        return faults
    if seal["format"] != FORMAT:
        return [f"the format is {seal['format']!r}, not {FORMAT!r} / 封签格式不符"]
    if not _is(_STEP, seal["report_id"]):
        faults.append(f"report_id is {seal['report_id']!r} / 报告编号不合法")
    if not _is(_PERIOD, seal["period"]):
        faults.append(f"period is {seal['period']!r}, not a year, quarter, month or day / 报告期不合法")
    if not isinstance(seal["files"], list) or not isinstance(seal["inputs"], list) or not seal["files"]:
        return [*faults, "files and inputs must be lists, and files not empty / files 与 inputs 须为列表，且 files 不得为空"]
    for file in seal["files"]:
        wrong = _field_faults("file", file, _FILE_FIELDS)
        if not wrong and not (_is(_NAME, file["name"]) and _is(_SHA256, file["sha256"]) and _is_count(file["bytes"])):
            wrong = [f"a file is not named, sized or digested as it must be: {file} / 文件条目不合法"]
        faults += wrong
    for item in seal["inputs"]:
        wrong = _field_faults("input", item, _INPUT_FIELDS)
        if not wrong and not (
            _is_date(item["custody_date"])
            and _is(_STEP, item["step"])
            and _is_count(item["version"])
            and _is(_SHA256, item["manifest_digest"])
        ):
            wrong = [f"an input is not dated, named, versioned or digested as it must be: {item} / 输入条目不合法"]
        faults += wrong
    if not faults and len({file["name"] for file in seal["files"]}) != len(seal["files"]):
        faults.append("a file is named twice / 文件重复")
    return faults


def _field_faults(what: str, found: object, expected: set[str]) -> list[str]:
    if not isinstance(found, dict):
        return [f"{what}: not a JSON object / {what}：不是 JSON 对象"]
    missing = [f"{what}: field {name} is missing / {what}：缺少字段 {name}" for name in sorted(expected - set(found))]
    extra = [f"{what}: extra field {name} / {what}：多余字段 {name}" for name in sorted(set(found) - expected)]
    return missing + extra


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands twice")
    return found


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or len(value) != 10:
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def main(arguments: list[str]) -> int:
    """``SEAL FOLDER``: prints the differences; 0 none, 1 some, 2 usage."""
    if len(arguments) != 2:
        print("usage: seal.py SEAL FOLDER", file=sys.stderr)
        return 2
    differences = verify_seal(Path(arguments[0]).read_bytes(), Path(arguments[1]))
    print("\n".join(differences) if differences else "the files are those that the seal names / 文件与封签一致")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
