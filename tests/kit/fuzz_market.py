"""What fuzzed files are made from: parties of every kind and layout, a good file of each, and sealed sets of mutated ones."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import fuzz_bytes
from fuzz_bytes import MUTATIONS

from connectors.ssh_keys import make_key, public_key_line
from custody.digest import digest_of
from schemas.envelope import close_envelope, open_envelope
from schemas.layout import Layout, load_layout
from schemas.layout_example import example_file
from schemas.layout_file import ParsedFile, parse_file

ROOT = Path(__file__).parents[1]
DAY = date(2020, 1, 1)
_FROZEN = ROOT / "frozen_world" / "world"
_PLATFORM_TYPES = ("CUSTOMER", "LOAN", "TXN", "CLAIM", "BALANCE", "CONFIRMATION")
_GATEWAY_TYPES = ("INSTRUCTION", "MANDATE", "LEGAL_ORDER")
_OWN = {
    "CUSTOMER": "platform_customer/1", "LOAN": "platform_loan/1", "TXN": "platform_txn/1", "CLAIM": "platform_claim/1",
    "BALANCE": "platform_balance/1", "CONFIRMATION": "platform_confirmation/1", "INSTRUCTION": "gateway_instruction/1",
    "MANDATE": "gateway_mandate/1", "LEGAL_ORDER": "gateway_legal_order/1", "SETTLEMENT": "channel_settlement/1",
}  # fmt: skip
_MERCHANTS = {
    "unionpay_zm/1": {"898310000000001": "P001", "898310000000002": "P002"},
    "baofoo_fi/1": {"100001": "P001", "100002": "P002"},
    "baofoo_fo/1": {"100001": "P001", "100002": "P002"},
    "wechat_all/1": {"1230000109": "P001", "1230000110": "P002"},
}
_DIALECTS = {"CH01": "unionpay_zm/1", "CH02": "baofoo_fi/1", "CH03": "baofoo_fo/1", "CH04": "wechat_all/1"}


@dataclass(frozen=True)
class Sender:
    """A party, and the layout of each type that it may send."""

    party: str
    encoding: str
    layouts: dict[str, str]


SENDERS = (
    *(Sender(f"P{n:03d}", "utf-8" if n % 2 else "gb18030", {t: _OWN[t] for t in _PLATFORM_TYPES}) for n in range(1, 9)),
    Sender("GW", "utf-8", {t: _OWN[t] for t in _GATEWAY_TYPES}),
    Sender("CH00", "utf-8", {"SETTLEMENT": _OWN["SETTLEMENT"]}),
    *(Sender(party, load_layout(of).encodings[0], {"SETTLEMENT": of}) for party, of in _DIALECTS.items()),
)


def write_world(folder: Path) -> Path:
    """What `custody org onboard --from` reads of the senders, as the frozen world has it."""
    told = json.loads((_FROZEN / "world.json").read_text(encoding="utf-8"))
    of_kind = {one["kind"]: one for one in told["parties"]}
    (folder / "keys").mkdir(parents=True)
    for sender in SENDERS:
        key = folder / "keys" / sender.party
        make_key(key)
        key.with_suffix(".pub").write_text(public_key_line(key), encoding="utf-8")
    parties = [_as_told(sender, of_kind) for sender in SENDERS]
    (folder / "world.json").write_text(json.dumps({**told, "start": DAY.isoformat(), "parties": parties}), encoding="utf-8")
    return folder


def _as_told(sender: Sender, of_kind: dict[str, dict[str, Any]]) -> dict[str, Any]:
    kind = "GATEWAY" if sender.party == "GW" else "CHANNEL" if sender.party.startswith("CH") else "PLATFORM"
    dialect = _DIALECTS.get(sender.party)
    return {
        **of_kind[kind], "party": sender.party, "encoding": sender.encoding,
        "layouts": {of: [layout] for of, layout in sender.layouts.items()},
        "file_types": [of for of in sender.layouts if of != "CONFIRMATION"],
        "dialect": {"merchants": _MERCHANTS[dialect]} if dialect else {}, "related_parties": [],
    }  # fmt: skip


def good_file(layout: Layout, encoding: str) -> bytes:
    """The rows of the frozen world's or of the golden samples; of a layout that neither has, the document's example."""
    found = [path for path in _FROZEN.glob(f"20*/*/*_{layout.file_type}_*.csv") if path.parent.parent.name <= DAY.isoformat()]
    if layout.id in _OWN.values() and found:
        whole = max(found, key=lambda path: path.stat().st_size)
        seal = json.loads(next(whole.parent.glob("*_SEAL_*")).read_text(encoding="utf-8"))
        sent_in = next(one["encoding"] for one in seal["files"] if one["name"] == whole.name)
        return whole.read_bytes().decode(sent_in).encode(encoding)
    sample = [p for p in (ROOT / "layouts" / "samples").glob(f"{layout.name}_v{layout.version}.*") if ".landed." not in p.name]
    return sample[0].read_bytes() if sample else example_file(layout, encoding)


@dataclass
class SealedSet:
    """What a party puts at once. ``mutations``: of each file, by name; none of one that is sent as it should be."""

    party: str
    files: dict[str, bytes] = field(default_factory=dict)
    seals: dict[str, bytes] = field(default_factory=dict)
    mutations: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Fuzzer:
    """Sets drawn by one seed: the same seed, the same bytes."""

    def __init__(self, seed: int, senders: Sequence[Sender] = SENDERS) -> None:
        self._rng, self._senders = Random(f"fuzz {seed}"), senders
        self._good = {
            (layout, sender.encoding): good_file(load_layout(layout), sender.encoding)
            for sender in senders
            for layout in sender.layouts.values()
        }
        self._batch = dict.fromkeys((sender.party for sender in senders), 0)
        self._sent: list[SealedSet] = []

    def sets(self, files: int) -> Iterator[SealedSet]:
        """So many files, a few more with the last set."""
        made = 0
        while made < files:
            one = self._next_set()
            self._sent.append(one)
            made += len(one.files)
            yield one

    def _next_set(self) -> SealedSet:
        rng = self._rng
        sender = rng.choice(self._senders)
        if self._sent and rng.random() < 0.03:
            return self._again(rng.choice(self._sent))
        self._batch[sender.party] += 1
        if self._batch[sender.party] > 99:
            return self._next_set()
        out = SealedSet(sender.party)
        version = rng.choice((1, 1, 1, 1, 1, 1, 2, 99))
        stem = f"{DAY:%Y%m%d}_{self._batch[sender.party]:02d}_v{version}"
        entries = []
        types = [of for of in sender.layouts if rng.random() < 0.8] or list(sender.layouts)
        for file_type in types:
            name = f"{sender.party}_{file_type}_{stem}.csv"
            entries.append(self._file(out, name, sender, sender.layouts[file_type]))
        body = {
            "party": sender.party,
            "custody_date": DAY.isoformat(),
            "batch": self._batch[sender.party],
            "version": version,
            "files": entries,
        }
        seal_name = f"{sender.party}_SEAL_{stem}.json"
        seal = json.dumps(body, ensure_ascii=False, indent=1).encode()
        if rng.random() < 0.2:
            kind, seal_name, seal = self._bad_seal(seal_name, body)
            out.mutations[seal_name] = (kind,)
        out.seals[seal_name] = seal
        return out

    def _again(self, earlier: SealedSet) -> SealedSet:
        """The same once more, or other bytes under the same names."""
        if self._rng.random() < 0.5:
            return SealedSet(earlier.party, dict(earlier.files), dict(earlier.seals), dict(earlier.mutations))
        files = {name: fuzz_bytes.flip_bits(self._rng, data, "") for name, data in earlier.files.items()}
        return SealedSet(earlier.party, files, dict(earlier.seals), dict.fromkeys(files, ("other_bytes",)))

    def _file(self, out: SealedSet, name: str, sender: Sender, layout_id: str) -> dict[str, Any]:
        rng, layout = self._rng, load_layout(layout_id)
        data = good = self._good[layout_id, sender.encoding]
        done: tuple[str, ...] = ()
        if rng.random() < 0.95:
            done, data = mutated(rng, layout, good, sender.encoding)
        out.files[name] = data
        out.mutations[name] = done
        # Most seals say what the file is: what is wrong with it must then be found in it.
        described = good if rng.random() < 0.15 else data
        return _entry(name, layout, sender.encoding, described, by_sm3=rng.random() < 0.1)

    def _bad_seal(self, name: str, body: dict[str, Any]) -> tuple[str, str, bytes]:
        rng = self._rng
        kinds = ("entry", "entry", "entry", "entry", "head", "text", "bytes", "name")
        kind = rng.choice(kinds)
        if kind == "entry" and body["files"]:
            entry = rng.choice(body["files"])
            key = rng.choice(sorted(entry))
            entry[key] = rng.choice(_ODD_ENTRIES.get(key, _ODD_ENTRIES["any"]))
            if rng.random() < 0.1:
                del entry[key]
            return f"seal_{key}", name, json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if kind == "head":
            key = rng.choice(sorted(body))
            body[key] = rng.choice(
                (*_ODD_ENTRIES["any"], "P002", "2020-01-02", 2, [*body["files"], *body["files"]], body["files"][:1])
            )
            return f"seal_head_{key}", name, json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        good = json.dumps(body, ensure_ascii=False, indent=1).encode()
        if kind == "bytes":
            which = rng.choice(
                ("flip_bytes", "truncate", "another_encoding", "byte_order_mark", "drop_line", "repeat_line", "huge_field")
            )
            return f"seal_{which}", name, MUTATIONS[which](rng, good, "utf-8")
        if kind == "name":
            return "seal_named", rng.choice(_ODD_NAMES), good
        return "seal_text", name, rng.choice((
            b"", b"null", b"[]", b"{}", b"[" * 100_000, b'{"a":' * 50_000, b"\0" * 100, good + good, b" " * 1_200_000, good.replace(b'"', b"'"),
            good.replace(b": 1,", b": 1e400,"), good.replace(b"{", b'{"party": "P002",', 1), good.replace(b'"version"', b'"Version"'),
        ))  # fmt: skip


_ODD_ENTRIES: dict[str, tuple[object, ...]] = {
    "any": (None, -1, 0, 1.5, 10**30, "", "x", "\0", "\u202e", [], {}, True, "9" * 5_000, "=1+1"),
    "name": (
        "../P002_TXN_20200101_01_v1.csv", "/etc/passwd", "P002_TXN_20200101_01_v1.csv", "P001_TXN_20200101_01_v1.csv\n", "a\x1b[2Jb", "\0", "張",
        "P001_SEAL_20200101_01_v1.json", "P001_TXN_20200101_01_v1.csv/../x", "..", ".", "", "P001_TXN_２０２００101_01_v1.csv", "\udc80", 7, "x" * 81,
    ),
    "bytes": (0, 1, -1, 2**31, 2**63, 10**30, "12", 1.0, None),
    "rows": (0, 1, 3, -1, 2**31, 10**30, "3", 2.5, None, True),
    "sha256": ("0" * 64, "F" * 64, "0" * 63, "", None, 5, "g" * 64),
    "sm3": ("0" * 64, "0" * 63, None),
    "layout": ("platform_txn/2", "platform_claim/1", "../x", "", "x" * 61, "\x1b", None, "jixin_eve/1"),
    "encoding": ("gbk", "utf-16", "", "utf-8\0", "rot13", None, "gb18030", "UTF-8"),
    "totals": (
        {}, {"amount": "1.00"}, {"amount": "9" * 5_000}, {"amount": "-" + "9" * 5_000}, {"amount": "NaN"}, {"amount": "１００.００"}, {"amount": 5},
        {"amount": "1e9"}, {"amount": ""}, {"amount": "."}, {"amount": "\0"}, {"amount": "²"}, {"principal": "9" * 20, "available": "٣"}, None, [],
        {f"x{n}": "1.00" for n in range(2_000)}, {"x" * 100_000: "1"}, {"amount": "1.00", "\udc80": "1"},
    ),
    "batches": (0, 1, 3, 99, 100, -1, "1", None),
}  # fmt: skip
_ODD_NAMES = (
    "P001_SEAL_20200101_01_v1.json", "P002_SEAL_20200101_77_v1.json", "P001_SEAL_20200102_01_v1.json", "P001_SEAL_20991231_01_v1.json",
    "P001_SEAL_20200101_00_v1.json", "P001_SEAL_20200230_01_v1.json", "CH00_SEAL_19000101_01_v9.json", "x.json", "P001_SEAL_20200101_01_v1.JSON",
)  # fmt: skip

# Names that a party could put into its folder beside what it should.
STRAYS: tuple[bytes, ...] = (
    b"a\nb", b"a\rb.csv", b"\x1b[2J.csv", b"..P001", b".hidden", b"-rf", b"a b.csv", b"P001_TXN_20200101_01_v1.csv ", "张三.csv".encode(),
    "张三.csv".encode("gb18030"), b"\xff\xfe.csv", b"%2e%2e%2fx", b"a" * 200, b"P001_TXN_20200101_01_v1.csv\x7f", b"unsealed.csv",
    "\u202efdp.csv".encode(), b"x.part", b"$(reboot)", b"a;b", b"*", b"~root", b"C:\\x",
)  # fmt: skip


def mutated(rng: Random, layout: Layout, data: bytes, encoding: str) -> tuple[tuple[str, ...], bytes]:
    """(what was done, the file): one to three mutations of what is in it, or of what it comes wrapped in."""
    if layout.envelope and rng.random() < 0.5:
        return _wrapped_badly(rng, layout, open_envelope(layout.envelope, data))
    inner = open_envelope(layout.envelope, data)
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name = rng.choice(sorted(MUTATIONS))
        changed = MUTATIONS[name](rng, inner, encoding) if inner else inner
        inner = changed
        done.append(name)
    try:
        whole = close_envelope(layout.envelope, inner, DAY)
    except UnicodeDecodeError:
        whole = inner  # what is no text cannot stand in JSON
    if rng.random() < 0.05:
        name = rng.choice(("flip_bytes", "truncate", "insert_bytes", "remove_bytes"))
        whole, done = MUTATIONS[name](rng, whole, encoding) if whole else whole, [*done, f"whole_{name}"]
    return tuple(done), whole


def _wrapped_badly(rng: Random, layout: Layout, inner: bytes) -> tuple[tuple[str, ...], bytes]:
    done: list[str] = []
    data = inner
    bad = rng.randrange(len(layout.envelope))
    for place in reversed(range(len(layout.envelope))):
        step = layout.envelope[place]
        if place != bad or step.kind == "json":
            data = step.close(data, DAY)
            continue
        if step.kind == "zip":
            kind, data = fuzz_bytes.zip_of(rng, step.write_as.format(custody_date=DAY), data)
        elif step.kind == "base64":
            kind, data = fuzz_bytes.base64_of(rng, data)
        else:
            kind, data = fuzz_bytes.form_of(rng, step.member, data)
        done.append(kind)
    return tuple(done), data


def read_as_sent(layout: Layout, data: bytes, encoding: str) -> ParsedFile:
    return parse_file(layout, "F", data, encoding, DAY)


def _entry(name: str, layout: Layout, encoding: str, data: bytes, by_sm3: bool) -> dict[str, Any]:
    """A truthful entry: what a sender's program would say of these bytes."""
    found = read_as_sent(layout, data, encoding)
    digest = {"sm3": digest_of("sm3", [data])} if by_sm3 else {"sha256": hashlib.sha256(data).hexdigest()}
    return {
        "name": name, "layout": layout.id, "encoding": encoding, "bytes": len(data), "rows": found.rows_seen, **digest,
        "totals": {total: f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02d}" for total, minor in found.totals_minor.items()},
        "batches": None if re.search("_0[1-9]_", name) else 99,
    }  # fmt: skip
