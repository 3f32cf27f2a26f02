"""Blocks of whole lines: nothing of the file is lost between them, and a line without end takes no more memory than a block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.content import MAX_LINE_BYTES, Content, line_blocks


@given(
    pieces=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\x01", b"\n")), max_size=12),
    block=st.sampled_from([1, 7, 30, 1 << 20]),
)
def test_blocks_are_the_file_and_end_at_line_ends(pieces: list[bytes], block: int) -> None:
    found = list(line_blocks(pieces, block))
    whole = b"".join(pieces)
    assert b"".join(text for _, text in found) == whole
    assert all(text.endswith(b"\n") for _, text in found[:-1]) and all(text for _, text in found)
    assert all(whole[start : start + len(text)] == text for start, text in found)


@pytest.mark.parametrize("end", [b"", b"\n", b"\nafter\nit\n"])
def test_of_a_line_without_end_only_its_beginning_is_kept_and_what_follows_stands_where_it_stood(end: bytes) -> None:
    pieces, size = [b"before\n", *[b"x" * 1_000_000] * 40, end], 40_000_000
    found = list(line_blocks(pieces, 1 << 16))
    assert max(len(text) for _, text in found) < (1 << 16) + MAX_LINE_BYTES + 2
    (long_start, long_line), *_ = [(s, t) for s, t in found if t.startswith(b"x")]
    assert long_start == len(b"before\n") and long_line.count(b"\n") == min(1, len(end))
    assert len(long_line) > MAX_LINE_BYTES
    after = b"".join(text for start, text in found if start > long_start)
    assert after == end[1:]
    assert [start for start, text in found if start > long_start][:1] == ([long_start + size + 1] if after else [])


def test_a_content_is_read_from_its_start_as_often_as_it_is_asked_for() -> None:
    content = Content.of(b"a" * 3_000_000)
    assert content.whole() == content.whole() == b"a" * 3_000_000
    assert len(content.head(5)) < 3_000_000 and content.head(5)[:5] == b"aaaaa"
    assert Content.of(b"").head(5) == b""
