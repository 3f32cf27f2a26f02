"""Checks a proof of the custodian bank's without the bank's system: ``python3 verify.py [FOLDER] [--signers FILE]``.

Standard library alone, and OpenSSH's ssh-keygen for the signatures. It needs the files of one proof and nothing else, and shares no
code with the system that made them: what it reckons, it reckons from the rules below.

* Row hash: SHA-256 over the row's cells in the order of the columns, each ``<octets>:<text>,`` or ``~`` for null.
* Table: rows fall into 4,096 buckets by the first 12 bits of their hash; a bucket's digest is SHA-256 over its sorted row hashes; the
  table's digest is SHA-256 over all bucket digests in order.
* Output of a step: SHA-256 over the JSON of its tables' and files' digests (sorted names, no spaces, UTF-8).
* Root of a day: the output that names each step's digest of the date and the root of the day before.
* Statement: the bank signs each day's root (ssh-keygen -Y sign, namespace ``custody-day-root``) with the key of that date.

本程序不依赖银行系统：仅用 Python 标准库与 OpenSSH 的 ssh-keygen，即可核验存管银行出具的证明。
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

FORMAT = "custody-proof/1"
STATEMENT = "day-root/1"
NAMESPACE = "custody-day-root"
SIGNER = "custodian-bank"
BUCKETS = 4096
_BEFORE_ALL = "0" * 64


class Wrong(Exception):
    """Something does not agree; the words say what and where."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def spelled(value: object) -> bytes:
    """JSON with one spelling."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def row_hash(cells: list[str | None]) -> bytes:
    parts = [b"~" if cell is None else b"%d:%b," % (len(cell.encode()), cell.encode()) for cell in cells]
    return hashlib.sha256(b"".join(parts)).digest()


def table_digest(buckets: dict[int, bytes]) -> str:
    """From the digests of the buckets that hold rows."""
    empty = hashlib.sha256(b"").digest()
    return sha256(b"".join(buckets.get(number, empty) for number in range(BUCKETS)))


def digest_of_rows(rows: list[list[str | None]]) -> str:
    held: dict[int, list[bytes]] = {}
    for cells in rows:
        hashed = row_hash(cells)
        held.setdefault(int.from_bytes(hashed[:2], "big") >> 4, []).append(hashed)
    return table_digest({n: hashlib.sha256(b"".join(sorted(hashes))).digest() for n, hashes in held.items()})


def output_digest(output: dict[str, Any]) -> str:
    return sha256(spelled({"tables": output["tables"], "files": output["files"]}))


class Proof:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = self.json("proof.json")
        if self.said.get("format") != FORMAT:
            raise Wrong(f"proof.json: its format is {self.said.get('format')!r}, not {FORMAT!r} / 证明格式不符")
        # By date: {step: (version, digest)} of what the day's root names.
        self.roots: dict[str, dict[str, tuple[int, str]]] = {}
        self.statements: dict[str, str] = {}

    def bytes(self, name: str) -> bytes:
        path = self.folder / name
        if path.is_symlink() or not path.is_file():
            raise Wrong(f"{name} is missing / 缺少文件 {name}")
        return path.read_bytes()

    def json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads(self.bytes(name))
        except ValueError as why:
            raise Wrong(f"{name} cannot be read: {why} / {name} 无法读取") from why
        if not isinstance(found, dict):
            raise Wrong(f"{name} is no JSON object / {name} 不是 JSON 对象")
        return found

    def check_days(self) -> None:
        """Each day's root holds, is what the bank's statement says, and follows from the day before."""
        previous: tuple[date, str] | None = None
        for on in self.said["days"]:
            day = self.json(f"days/{on}.json")
            rows = [[step, str(version), digest] for step, version, digest in day["root"]]
            if digest_of_rows(list(rows)) != day["output"]["tables"]["day_root"]["content"]:
                raise Wrong(f"days/{on}.json: the steps that it names are not those of its root / 日终根与所列步骤不符")
            root = output_digest(day["output"])
            named = {step: (version, digest) for step, version, digest in day["root"]}
            name = f"days/{on}_v{day['version']}.json"
            statement = self.json(name)
            said = (statement.get("format"), statement.get("custody_date"), statement.get("version"), statement.get("root"))
            if said != (STATEMENT, on, day["version"], root):
                raise Wrong(f"{name}: the statement is of another day or root than days/{on}.json / 签名声明与日终根不符")
            if statement["bank"] != self.said["bank"]:
                raise Wrong(f"{name}: the statement is of {statement['bank']!r} / 签名声明属于另一家银行")
            before = named["close_of_yesterday"]
            if previous is not None and (previous[0] + timedelta(days=1) != date.fromisoformat(on) or before[1] != previous[1]):
                raise Wrong(f"days/{on}.json does not follow from {previous[0]} / 日终根未与前一日相连")
            self.roots[on], self.statements[on] = named, name
            previous = date.fromisoformat(on), root

    def check_signatures(self, signers: Path) -> None:
        """Each statement is signed by the key that the list of signers has for its date."""
        for on, name in self.statements.items():
            command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", SIGNER, "-n", NAMESPACE]
            command += ["-s", str(self.folder / f"{name}.sig"), "-O", f"verify-time={on.replace('-', '')}1200"]
            self.bytes(f"{name}.sig")
            done = subprocess.run(command, input=self.bytes(name), capture_output=True, check=False)
            if done.returncode:
                why = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip()
                raise Wrong(f"{name}: not signed by a key of {signers} for that date ({why}) / 签名无效")

    def output(self, on: str, step: str) -> dict[str, Any]:
        """An output of a step as its day's root has it."""
        found = self.json(f"outputs/{on}_{step}.json")
        if on not in self.roots or step not in self.roots[on]:
            raise Wrong(f"the root of {on} names no step {step} / {on} 的日终根未包含 {step}")
        if output_digest(found) != self.roots[on][step][1]:
            raise Wrong(f"outputs/{on}_{step}.json is not what the root of {on} names / 与 {on} 的日终根不符")
        return found

    def check_row(self, row: dict[str, Any]) -> dict[str, str | None]:
        """The row is in the table, and the table in its day; returns the cells by column."""
        on, step, table = row["custody_date"], row["step"], row["table"]
        place = f"row of {table} of {on}"
        hashed = row_hash(row["cells"])
        bucket = int.from_bytes(hashed[:2], "big") >> 4
        held = [bytes.fromhex(one) for one in row["bucket"]]
        if hashed not in held:
            raise Wrong(f"{place}: its hash is not in its bucket / 该行不在所属桶中")
        buckets = {int(number): bytes.fromhex(digest) for number, digest in row["buckets"].items()}
        if buckets.get(bucket) != hashlib.sha256(b"".join(sorted(held))).digest():
            raise Wrong(f"{place}: bucket {bucket} has another digest / 桶 {bucket} 的摘要不符")
        sealed = self.output(on, step)["tables"][table]["content"]
        if table_digest(buckets) != sealed:
            raise Wrong(f"{place}: the table has another digest than was sealed / 与封存的表摘要不符")
        return dict(zip(row["columns"], row["cells"]))  # noqa: B905  (Pythons before 3.10 check too)

    def check_report(self, report: dict[str, Any]) -> str:
        """The files are those of the report, and the report is of its day, made from sealed days; returns how it was released."""
        on = report["custody_date"]
        output = self.output(on, "report")
        seal_name = report["seal"]
        seal_bytes = self.bytes(f"files/{seal_name}")
        seal = self.json(f"files/{seal_name}")
        for name in [seal_name, *(file["name"] for file in seal["files"])]:
            data = self.bytes(f"files/{name}")
            sealed = output["files"].get(name)
            if sealed is None:
                raise Wrong(f"{name} is no file of the report of {on} / {name} 不属于该报表")
            if (sealed["bytes"], sealed["sha256"]) != (len(data), sha256(data)):
                raise Wrong(f"{name} was changed: SHA-256 {sha256(data)}, sealed is {sealed['sha256']} / {name} 已被更改")
        for file in seal["files"]:
            if (file["bytes"], file["sha256"]) != (
                output["files"][file["name"]]["bytes"],
                output["files"][file["name"]]["sha256"],
            ):
                raise Wrong(f"{seal_name} says otherwise of {file['name']} than the output / 封签与输出不符")
        for item in seal["inputs"]:
            at, step = item["custody_date"], item["step"]
            if self.roots.get(at, {}).get(step) != (item["version"], item["manifest_digest"]):
                raise Wrong(
                    f"{seal_name} was made from {step} of {at} v{item['version']}, which is not in that day's root / 输入不在日终根中"
                )
        if report["release"] is None:
            return "not released when this proof was made / 出具证明时尚未发布"
        row = self.check_row(report["release"])
        approved = json.loads(row["payload"] or "{}")
        if row["kind"] != "release" or row["outcome"] != "APPROVED":
            raise Wrong("the decision is not the approval of a release / 该决定不是发布审批")
        if not {output_digest(output), sha256(seal_bytes)} & {value for value in approved.values() if isinstance(value, str)}:
            raise Wrong("the approved release is of another draft / 所批准的并非本稿")
        return (
            f"released by {row['maker']} and {row['checker']}, sealed with {report['release']['custody_date']}"
            f" / 由 {row['maker']} 提出、{row['checker']} 复核发布"
        )


def check(folder: Path, signers: Path | None) -> list[str]:
    """What was shown, a line each. ``signers`` None: signatures are not looked at. Raises Wrong."""
    try:
        proof = Proof(folder)
        proof.check_days()
        lines = [
            f"{len(proof.roots)} days, each root following from the one before / {len(proof.roots)} 个账务日的日终根首尾相连"
        ]
        if signers is not None:
            proof.check_signatures(signers)
            lines.append(f"each signed by {proof.said['bank']} under a key of {signers} / 均有银行签名")
        if proof.said["kind"] == "report":
            released = proof.check_report(proof.said["report"])
            lines.append(f"the report's files are those of {proof.said['report']['custody_date']} / 报表文件与封存一致")
            lines.append(released)
        elif proof.said["kind"] == "row":
            row = proof.said["row"]
            cells = proof.check_row(row)
            lines.append(
                f"this row is in {row['table']} of {row['custody_date']} / 该行确在 {row['custody_date']} 的 {row['table']} 中："
            )
            lines += [f"    {name} = {'(null)' if cell is None else cell}" for name, cell in cells.items()]
        else:
            raise Wrong(f"proof.json proves {proof.said['kind']!r}, which is nothing that we know / 未知的证明种类")
        return lines
    except (KeyError, TypeError, ValueError, AttributeError) as why:
        raise Wrong(f"a file of the proof has not the form that it must have: {why!r} / 证明文件格式不正确") from why


def main(arguments: list[str]) -> int:
    """Prints what was shown; 0 all agrees, 1 something does not, 2 it could not be checked."""
    parser = argparse.ArgumentParser(description="Checks a proof of the custodian bank's. 核验存管银行出具的证明")
    parser.add_argument("folder", nargs="?", default=str(Path(__file__).resolve().parent), help="the proof's folder 证明目录")
    parser.add_argument("--signers", help="the bank's list of keys, as you had it from the bank 银行签名公钥清单")
    parser.add_argument("--without-signatures", action="store_true", help="digests alone 仅核验摘要")
    said = parser.parse_args(arguments)
    folder = Path(said.folder)
    signers = None if said.without_signatures else Path(said.signers) if said.signers else folder / "allowed_signers"
    try:
        lines = check(folder, signers)
    except Wrong as why:
        print(f"WRONG 不符: {why}")
        return 1
    except FileNotFoundError as why:
        print(f"could not be checked: {why}; ssh-keygen is a part of OpenSSH / 无法核验：需要 OpenSSH 的 ssh-keygen")
        return 2
    print("\n".join(lines))
    if signers is None:
        print("SIGNATURES NOT CHECKED: that this is the bank's is not shown / 未核验签名，不能证明出自银行")
    elif not said.signers:
        print(
            "the keys are those that came with the proof: compare them with the bank's own list / 公钥随证明附带，请与银行公布的清单比对"
        )
    print("ALL AGREES 核验通过")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
