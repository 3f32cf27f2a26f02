"""The font of printed reports: Noto Sans SC (SIL Open Font License), which has Chinese and Latin letters alike.

The whole font has 30,000 glyphs, and a document embeds those that it uses. To cut these out of the whole takes longer than to set the
document; so documents that are set together are set from one cut of the characters of all of them. The bytes of a document do not
depend on what else its font was cut for (a test sets one from several).
"""

from __future__ import annotations

import io
import string
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from pylopdf_fonts_zh_cn import sans_path

# What a reader of PDF has no use for: rules for shaping and for setting vertically.
_NOT_NEEDED = ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx"]


@contextmanager
def font_for(texts: Iterable[str]) -> Iterator[Path]:
    """A font file with the glyphs of these texts and of all that is ASCII, for as long as it is needed."""
    with TemporaryDirectory(prefix="report-font-") as folder:
        path = Path(folder) / "NotoSansSC.otf"
        path.write_bytes(_cuts.with_glyphs_of(set(string.printable).union(*texts)))
        yield path


class _Cuts:
    """The last cut of this process serves again for texts that need no other characters, as most statements' do."""

    def __init__(self) -> None:
        self._last: tuple[set[str], bytes] = (set(), b"")

    def with_glyphs_of(self, characters: set[str]) -> bytes:
        has, font = self._last
        if not characters <= has:
            font = _cut(characters)
            self._last = (characters, font)
        return font


_cuts = _Cuts()


def _cut(characters: set[str]) -> bytes:
    options = Options()
    options.layout_features = []
    options.desubroutinize = True
    options.hinting = False
    options.notdef_outline = True
    options.drop_tables = [*options.drop_tables, *_NOT_NEEDED]
    font = TTFont(sans_path(), lazy=True, recalcTimestamp=False)
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(sorted(characters)))
    subsetter.subset(font)
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()
