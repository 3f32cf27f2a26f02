"""Content digests as written down: a third party recomputes them with SHA-256 and nothing else."""

import hashlib
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from custody.digest import BUCKETS, canonical_json, canonical_text, digest_of_json, digest_of_rows, row_hash


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_a_row_is_netstrings_and_a_null_is_a_tilde() -> None:
    assert row_hash(["ab", None, 12, True, date(2020, 1, 2)]) == sha(b"2:ab,~2:12,4:true,10:2020-01-02,")
    assert row_hash(["中"]) == sha(b"3:\xe4\xb8\xad,")
    assert row_hash(["~"]) != row_hash([None])
    assert row_hash([""]) != row_hash([None])
    assert row_hash(["a", "b"]) != row_hash(["a,1:b"])
    assert row_hash(["ab", ""]) != row_hash(["a", "b"])


def test_the_root_is_the_tree_of_the_sketch() -> None:
    rows = [("R1", 1), ("R2", None), ("R3", -5)]
    buckets: dict[int, list[bytes]] = {}
    for text in (b"2:R1,1:1,", b"2:R2,~", b"2:R3,2:-5,"):
        digest = sha(text)
        buckets.setdefault(int.from_bytes(digest) >> (256 - 12), []).append(digest)
    by_hand = sha(b"".join(sha(b"".join(sorted(buckets.get(n, [])))) for n in range(BUCKETS))).hex()
    assert digest_of_rows(rows) == by_hand


def test_rows_of_one_bucket_are_sorted() -> None:
    found: dict[int, int] = {}
    pair = (0, 0)
    for n in range(10_000):
        bucket = int.from_bytes(row_hash([n])[:2]) >> 4
        if bucket in found:
            pair = (found[bucket], n)
            break
        found[bucket] = n
    assert pair[1] > 0
    assert digest_of_rows([[pair[0]], [pair[1]]]) == digest_of_rows([[pair[1]], [pair[0]]])
    assert digest_of_rows([[pair[0]], [pair[1]]]) != digest_of_rows([[pair[0]], [pair[0]]])


def test_a_repeated_row_counts() -> None:
    assert digest_of_rows([["a"]]) != digest_of_rows([["a"], ["a"]])


def test_a_time_is_its_instant_whatever_its_offset() -> None:
    utc = datetime(2019, 12, 30, 16, 0, 0, 1, tzinfo=UTC)
    china = utc.astimezone(timezone(timedelta(hours=8)))
    assert canonical_text(utc) == canonical_text(china) == "1577721600000001"
    assert canonical_text(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == "-1"
    with pytest.raises(TypeError):
        canonical_text(datetime(2019, 12, 30))  # noqa: DTZ001  (the naive time is the point)


@pytest.mark.parametrize("value", [1.0, b"x", [1], object()])
def test_no_other_type_has_a_canonical_form(value: object) -> None:
    with pytest.raises(TypeError, match="no canonical form"):
        canonical_text(value)


def test_json_has_one_spelling() -> None:
    assert canonical_json({"b": [1, None, True], "a": "中"}) == '{"a":"中","b":[1,null,true]}'
    assert digest_of_json({"b": 1, "a": 2}) == digest_of_json({"a": 2, "b": 1}) == sha(b'{"a":2,"b":1}').hex()
    for nested in (1.5, [1.5], {"a": [{"b": 0.0}]}, (float("nan"),)):
        with pytest.raises(TypeError, match="float"):
            canonical_json(nested)


def test_a_digest_is_the_same_in_every_process() -> None:
    code = "from custody.digest import *; print(digest_of_rows([[str(n), None, n] for n in range(50)]), digest_of_json({'z': {'y': 1}, 'a': 2}))"
    runs = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    here = digest_of_rows([[str(n), None, n] for n in range(50)]), digest_of_json({"z": {"y": 1}, "a": 2})
    assert runs == {f"{here[0]} {here[1]}\n".encode()}
