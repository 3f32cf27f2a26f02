"""Personal data as screens, logs and findings may show it (domain.md §10): enough to recognise, not enough to use."""

from __future__ import annotations

import re

from custody.names import Role

_USER_NUMBER = re.compile(rf"((?:{'|'.join(Role)})\.)([A-Za-z0-9_*-]+)")


def mask(value: str, keep_start: int = 3, keep_end: int = 2) -> str:
    """Keep a few characters at each end: 13812345678 -> 138******78. Short values are masked whole."""
    if len(value) <= keep_start + keep_end:
        return "*" * len(value)
    return value[:keep_start] + "*" * (len(value) - keep_start - keep_end) + value[len(value) - keep_end :]


def visible(text: str, limit: int) -> str:
    """A sender's text as a finding shows it: what does not print is escaped, so that nothing in it hides or steers a terminal; its length
    bounded."""
    cut = text[:limit]
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)[:limit]


def mask_name(name: str) -> str:
    """Keep the family name's first character."""
    return name[:1] + "*" * (len(name) - 1)


def mask_user_numbers(text: str) -> str:
    """P001.LENDER.U003000037 -> P001.LENDER.U00*****37, wherever a subject, an account or a sentence names one.

    A person's number at a platform is enough to find him there.
    """
    return _USER_NUMBER.sub(lambda found: found[1] + mask(found[2]), text)
