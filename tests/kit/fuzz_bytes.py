"""What can go wrong with a file between its sender's program and us, and what somebody may do to it on purpose: one named mutation
each, drawn from a seeded generator. A mutation takes a file's own bytes (without what they come wrapped in) and gives others."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
from collections.abc import Callable
from random import Random

Mutation = Callable[[Random, bytes, str], bytes]

OTHER_DIGITS = ("٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "०१२३४५६७८९", "〇一二三四五六七八九", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")
ODD_NUMBERS = (
    "NaN", "Infinity", "-0.00", "+1.00", "1e9", "1E-2", "0x10", "1_000.00", "1,000.00", " 100.00", "100.00 ", "100.005", "100.", ".50",
    "00100.00", "−100.00", "100．00", "999999999999999.99", "1000000000000000000000000.00", "9" * 5_000, "-", "100.00元", "¥100", "null",
)  # fmt: skip
FORMULAS = (
    "=1+1",
    "+SUM(A1)",
    "-2+3",
    "@SUM(A1)",
    '=HYPERLINK("http://x")',
    "\t=1+1",
    "＝1+1",
    "=cmd|' /C calc'!A0",
    "|calc",
    "%0a=1",
)
INVISIBLE = ("\0", "\x01", "\x1b[31m", "\x7f", "\x85", "\u200b", "\u202e", "\u2028", "\ufeff", "\ufffe", "\U000e0041", "\v", "\f")
DATES = (
    "2020-02-30", "0000-00-00", "1899-12-31", "9999-12-31", "2020-01-02", "2021-01-01T00:00:00", "2020-01-01T24:00:00", "2019-12-31T23:59:60",
    "2020-1-1", "20200101", "2020-01-01 10:00:00", "2020-01-01T10:00:00Z", "2020-01-01T10:00:00+08:00", "２０２０-01-01",
)  # fmt: skip
_PATHS = (
    "../../etc/passwd",
    "C:\\x",
    "/dev/null",
    "a/b",
    "%2e%2e/",
    "$(reboot)",
    "'; drop table file; --",
    "<script>alert(1)</script>",
)
_LONG = (81, 300, 5_000, 16_383, 16_384, 16_385, 70_000, 300_000)


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def _delimiter(data: bytes) -> bytes:
    """The likeliest one; in a fixed-width file a cell is then a line."""
    first = data[:4_000]
    return max((b",", b"|"), key=first.count) if b"," in first or b"|" in first else b"\0"


def _at_line(rng: Random, data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    lines = _lines(data)
    place = rng.randrange(len(lines))
    lines[place] = change(lines[place])
    return b"\n".join(lines)


def _at_cell(rng: Random, data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """In a row rather than in the heading; a cell of a fixed-width line is a stretch of it."""
    lines = _lines(data)
    place = rng.randrange(1, len(lines)) if len(lines) > 1 and rng.random() < 0.9 else rng.randrange(len(lines))
    parting = _delimiter(data)
    if parting != b"\0":
        cells = lines[place].split(parting)
        at = rng.randrange(len(cells))
        cells[at] = change(cells[at])
        lines[place] = parting.join(cells)
    elif lines[place]:
        start = rng.randrange(len(lines[place]))
        end = min(start + rng.choice((1, 6, 13, 20)), len(lines[place]))
        old = lines[place][start:end]
        new = change(old)
        # Mostly at the old width, so that what stands behind it is not shifted.
        lines[place] = (
            lines[place][:start] + (new[: len(old)].ljust(len(old)) if rng.random() < 0.7 else new) + lines[place][end:]
        )
    return b"\n".join(lines)


def _coded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def flip_bytes(rng: Random, data: bytes, encoding: str) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if out:
            out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def flip_bits(rng: Random, data: bytes, encoding: str) -> bytes:
    out = bytearray(data)
    if out:
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def truncate(rng: Random, data: bytes, encoding: str) -> bytes:
    """Anywhere, in the heading, at a line's end with and without it, inside a character, or to nothing."""
    ends = [at for at, byte in enumerate(data) if byte == 10]
    wide = [at for at, byte in enumerate(data) if byte >= 128]
    places = [
        0,
        1,
        rng.randrange(len(data) + 1),
        len(data) - 1,
        *(rng.sample(ends, min(2, len(ends)))),
        *rng.sample(wide, min(2, len(wide))),
    ]
    return data[: max(0, rng.choice(places) + rng.choice((0, 0, 1)))]


def remove_bytes(rng: Random, data: bytes, encoding: str) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 2, 7, 100)) :]


def insert_bytes(rng: Random, data: bytes, encoding: str) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.randbytes(rng.choice((1, 2, 7, 100))) + data[start:]


def repeat_line(rng: Random, data: bytes, encoding: str) -> bytes:
    lines = _lines(data)
    place = rng.randrange(len(lines))
    return b"\n".join([*lines[:place], *[lines[place]] * rng.choice((2, 2, 3, 50)), *lines[place + 1 :]])


def swap_lines(rng: Random, data: bytes, encoding: str) -> bytes:
    lines = _lines(data)
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def drop_line(rng: Random, data: bytes, encoding: str) -> bytes:
    lines = _lines(data)
    del lines[rng.randrange(len(lines))]
    return b"\n".join(lines)


def blank_lines(rng: Random, data: bytes, encoding: str) -> bytes:
    lines = _lines(data)
    lines[rng.randrange(len(lines))] += rng.choice((b"\n", b"\n\n\n", b"\n \n", b"\n\r\n"))
    return b"\n".join(lines)


def another_encoding(rng: Random, data: bytes, encoding: str) -> bytes:
    other = rng.choice(
        [one for one in ("gb18030", "utf-8", "utf-16", "utf-16-le", "utf-32", "big5", "latin-1", "utf-7") if one != encoding]
    )
    return data.decode(encoding, "replace").encode(other, "replace")


def line_in_another_encoding(rng: Random, data: bytes, encoding: str) -> bytes:
    other = "gb18030" if encoding == "utf-8" else "utf-8"
    return _at_line(
        rng, data, lambda line: (line.decode(encoding, "replace") + rng.choice(("", "张", "€"))).encode(other, "replace")
    )


def lone_bytes(rng: Random, data: bytes, encoding: str) -> bytes:
    bad = rng.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x80", b"\xf5\x90\x80\x80", b"\x81", b"\xe5\xbc", b"\xfe\x39"))
    return _at_cell(rng, data, lambda cell: cell + bad)


def byte_order_mark(rng: Random, data: bytes, encoding: str) -> bytes:
    mark = rng.choice(("\ufeff".encode(), "\ufeff".encode("gb18030"), b"\xff\xfe", b"\xfe\xff", "\ufeff\ufeff".encode()))
    return mark + data if rng.random() < 0.6 else _at_line(rng, data, lambda line: mark + line)


def invisible_character(rng: Random, data: bytes, encoding: str) -> bytes:
    mark = _coded(rng.choice(INVISIBLE), encoding)
    return _at_cell(rng, data, lambda cell: cell[: len(cell) // 2] + mark + cell[len(cell) // 2 :])


def nothing_but_nul(rng: Random, data: bytes, encoding: str) -> bytes:
    return b"\0" * len(data) if rng.random() < 0.3 else _at_line(rng, data, lambda line: b"\0" * len(line))


def huge_field(rng: Random, data: bytes, encoding: str) -> bytes:
    filler = rng.choice((b"A", b"9", b" ", "张".encode(encoding, "replace"), b"0", b'"'))
    return _at_cell(rng, data, lambda cell: filler * rng.choice(_LONG))


def many_columns(rng: Random, data: bytes, encoding: str) -> bytes:
    return _at_line(rng, data, lambda line: line + _delimiter(data) * rng.choice((1, 2, 20, 20_000)))


def digits_of_another_script(rng: Random, data: bytes, encoding: str) -> bytes:
    digits = str.maketrans("0123456789", rng.choice(OTHER_DIGITS))
    return _at_cell(rng, data, lambda cell: _coded(cell.decode(encoding, "replace").translate(digits), encoding))


def odd_number(rng: Random, data: bytes, encoding: str) -> bytes:
    return _at_cell(rng, data, lambda cell: _coded(rng.choice(ODD_NUMBERS), encoding))


def other_amount(rng: Random, data: bytes, encoding: str) -> bytes:
    """A cell that looks like an amount becomes another good one."""

    def change(cell: bytes) -> bytes:
        return b"%d.%02d" % (rng.randrange(10_000), rng.randrange(100)) if b"." in cell else cell

    for _ in range(8):
        data = _at_cell(rng, data, change)
    return data


def formula(rng: Random, data: bytes, encoding: str) -> bytes:
    return _at_cell(rng, data, lambda cell: _coded(rng.choice(FORMULAS), encoding) + rng.choice((b"", cell)))


def odd_date(rng: Random, data: bytes, encoding: str) -> bytes:
    def change(cell: bytes) -> bytes:
        return _coded(rng.choice(DATES), encoding) if cell.count(b"-") == 2 else cell

    for _ in range(8):
        data = _at_cell(rng, data, change)
    return data


def odd_text(rng: Random, data: bytes, encoding: str) -> bytes:
    return _at_cell(rng, data, lambda cell: _coded(rng.choice(_PATHS), encoding))


def blank_cell(rng: Random, data: bytes, encoding: str) -> bytes:
    return _at_cell(rng, data, lambda cell: rng.choice((b"", b" ", b"\t", b"null", b"-", b"\xe3\x80\x80")))


def swapped_cells(rng: Random, data: bytes, encoding: str) -> bytes:
    def change(line: bytes) -> bytes:
        cells = line.split(_delimiter(data))
        rng.shuffle(cells)
        return _delimiter(data).join(cells)

    return _at_line(rng, data, change)


def cell_dropped(rng: Random, data: bytes, encoding: str) -> bytes:
    def change(line: bytes) -> bytes:
        cells = line.split(_delimiter(data))
        del cells[rng.randrange(len(cells))]
        return _delimiter(data).join(cells)

    return _at_line(rng, data, change)


def quotes(rng: Random, data: bytes, encoding: str) -> bytes:
    return _at_cell(
        rng, data, lambda cell: rng.choice((b'"' + cell + b'"', b'"' + cell, cell + b'"', b'"a\nb"', b'""', b"'" + cell + b"'"))
    )


def line_ends(rng: Random, data: bytes, encoding: str) -> bytes:
    end = rng.choice((b"\r\n", b"\r", b"\n\r", b"\r\r\n", b"\x0b", b"\xc2\x85", b"\xe2\x80\xa8"))
    return data.replace(b"\n", end) if rng.random() < 0.5 else _at_line(rng, data, lambda line: line + end)


def heading(rng: Random, data: bytes, encoding: str) -> bytes:
    """Columns repeated, in another order, renamed, dropped, added, in capitals; the heading twice or not at all."""
    first, found, rest = data.partition(b"\n")
    parting = _delimiter(data)
    names = first.split(parting)
    at = rng.randrange(len(names))
    kind = rng.randrange(8)
    if kind == 0:
        names.append(names[at])
    elif kind == 1:
        rng.shuffle(names)
    elif kind == 2:
        names[at] = names[rng.randrange(len(names))]
    elif kind == 3:
        del names[at]
    elif kind == 4:
        names.insert(at, rng.choice((b"x", b"", b"=1+1", "\u202e".encode(), b"A" * 5_000)))
    elif kind == 5:
        names = [name.upper() for name in names]
    first = parting.join(names)
    if kind == 6:
        return rest
    return first + found + (first + found if kind == 7 else b"") + rest


def delimiter(rng: Random, data: bytes, encoding: str) -> bytes:
    return data.replace(_delimiter(data), rng.choice((b";", b"\t", b"|", b",", b"\x1f", "，".encode(encoding, "replace"))))


def something_else(rng: Random, data: bytes, encoding: str) -> bytes:
    return rng.choice((
        b"", b"\n", b"\r\n", b"\xef\xbb\xbf", rng.randbytes(500), b"PK\x03\x04" + rng.randbytes(100), b"{}", b'{"a": ' * 3_000, b"<html></html>",
        b"\x1f\x8b\x08" + rng.randbytes(50), data[::-1], data * 3, data.partition(b"\n")[0] + b"\n", b"," * 5_000, b"\n" * 5_000, b"%PDF-1.4",
    ))  # fmt: skip


MUTATIONS: dict[str, Mutation] = {
    one.__name__: one
    for one in (
        flip_bytes, flip_bits, truncate, remove_bytes, insert_bytes, repeat_line, swap_lines, drop_line, blank_lines, another_encoding,
        line_in_another_encoding, lone_bytes, byte_order_mark, invisible_character, nothing_but_nul, huge_field, many_columns,
        digits_of_another_script, odd_number, other_amount, formula, odd_date, odd_text, blank_cell, swapped_cells, cell_dropped, quotes, line_ends,
        heading, delimiter, something_else,
    )
}  # fmt: skip


def _zipped(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.compress_type = method
            archive.writestr(info, data)
    return out.getvalue()


def zip_of(rng: Random, name: str, data: bytes) -> tuple[str, bytes]:
    """(what was done, a zip that should hold ``data`` as ``name``)."""
    good = _zipped([(name, data)])
    central = good.rfind(b"PK\x01\x02")
    kinds: dict[str, Callable[[], bytes]] = {
        "zip_two_members": lambda: _zipped([(name, data), (f"x/{name}", data)]),
        "zip_same_name_twice": lambda: good.replace(b"PK\x05\x06", b"PK\x05\x06") + good,
        "zip_no_member": lambda: _zipped([]),
        "zip_other_name": lambda: _zipped([(rng.choice(("x", "", "张.doc", "\x1b", "a" * 300)), data)]),
        "zip_path_in_name": lambda: _zipped([(rng.choice(("../../", "/", "..\\", "C:\\", "./a/../")) + name, data)]),
        "zip_folder": lambda: _zipped([(f"{name}/", b"")]),
        "zip_in_zip": lambda: _zipped([(name, good)]),
        "zip_stored": lambda: _zipped([(name, data)], zipfile.ZIP_STORED),
        "zip_lzma": lambda: _zipped([(name, data)], zipfile.ZIP_LZMA),
        "zip_bzip2": lambda: _zipped([(name, data)], zipfile.ZIP_BZIP2),
        "zip_many_members": lambda: _zipped([(f"{n}.x", b"") for n in range(rng.choice((3, 1_001)))] + [(name, data)]),
        "zip_encrypted": lambda: _with(good, central + 8, struct.pack("<H", 1)),
        "zip_unknown_method": lambda: _with(good, central + 10, struct.pack("<H", rng.choice((1, 9, 93, 99, 65_535)))),
        "zip_wrong_sum": lambda: _with(good, central + 16, rng.randbytes(4)),
        "zip_lies_of_sizes": lambda: _with(
            good, central + 20, struct.pack("<II", rng.choice((0, 1, 2**32 - 2)), rng.choice((0, 5, 2**32 - 2)))
        ),
        "zip_lies_of_place": lambda: _with(good, central + 42, struct.pack("<I", rng.choice((1, 10**6, 2**32 - 2)))),
        "zip_of_64_bits": lambda: _with(good, central + 20, b"\xff" * 8),
        "zip_cut": lambda: good[: rng.randrange(len(good))],
        "zip_flipped": lambda: flip_bytes(rng, good, ""),
        "zip_bomb": lambda: _zipped([(name, b"0" * 30_000_000)]),
        "zip_with_comment": lambda: good[:-2] + struct.pack("<H", 60_000) + b"c" * 60_000,
        "zip_none": lambda: data,
    }
    kind = rng.choice(sorted(kinds))
    return kind, kinds[kind]()


def _with(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def base64_of(rng: Random, data: bytes) -> tuple[str, bytes]:
    coded = base64.b64encode(data)
    kinds: dict[str, Callable[[], bytes]] = {
        "base64_not_padded": lambda: coded.rstrip(b"="),
        "base64_of_urls": lambda: base64.urlsafe_b64encode(data),
        "base64_in_lines": lambda: base64.encodebytes(data),
        "base64_cut": lambda: coded[: rng.randrange(len(coded) + 1)],
        "base64_flipped": lambda: flip_bytes(rng, coded, ""),
        "base64_none": lambda: data,
        "base64_other_script": lambda: coded + "＝".encode(),
    }
    kind = rng.choice(sorted(kinds))
    return kind, kinds[kind]()


def form_of(rng: Random, member: str, data: bytes) -> tuple[str, bytes]:
    kinds: dict[str, Callable[[], bytes]] = {
        "form_member_twice": lambda: f"{member}=".encode() + data + f"&{member}=".encode() + data,
        "form_other_member": lambda: b"ret_code=0000&x=" + data,
        "form_more_members": lambda: b"ret_code=0000&" + member.encode() + b"=" + data + b"&ret_msg=ok",
        "form_none": lambda: data,
        "form_flipped": lambda: flip_bits(rng, member.encode() + b"=" + data[:50], "") + data[50:],
    }
    kind = rng.choice(sorted(kinds))
    return kind, kinds[kind]()
