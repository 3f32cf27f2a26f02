"""Check digits of the numbers that identify people, companies and cards in China.

Identity number: GB 11643-1999. Unified social credit code: GB 32100-2015. Card: Luhn (ISO/IEC 7812-1).
"""

from __future__ import annotations

import re
from datetime import date

_ID = re.compile(r"[1-9][0-9]{16}[0-9X]")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC = re.compile(f"[{_USCC_ALPHABET}]{{18}}")
_USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_PHONE = re.compile(r"1[3-9][0-9]{9}")
_CARD = re.compile(r"[1-9][0-9]{11,18}")


def id_check_digit(first17: str) -> str:
    return _ID_CHECKS[sum(int(c) * w for c, w in zip(first17, _ID_WEIGHTS, strict=True)) % 11]


def is_identity_number(text: str) -> bool:
    """18 characters with a true calendar date of birth and the check digit of GB 11643-1999."""
    if not _ID.fullmatch(text) or text[17] != id_check_digit(text[:17]):
        return False
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return True


def uscc_check_digit(first17: str) -> str:
    """Check character of GB 32100-2015 (weights are powers of 3 modulo 31). Raises ValueError outside its alphabet."""
    total = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(first17, _USCC_WEIGHTS, strict=True))
    return _USCC_ALPHABET[(31 - total % 31) % 31]


def is_uscc(text: str) -> bool:
    return bool(_USCC.fullmatch(text)) and text[17] == uscc_check_digit(text[:17])


def is_phone(text: str) -> bool:
    return bool(_PHONE.fullmatch(text))


def luhn_check_digit(body: str) -> str:
    """The digit that makes ``body`` a card number by ISO/IEC 7812-1."""
    total = 0
    for i, char in enumerate(reversed(body)):
        digit = int(char) * (2 if i % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    return str(-total % 10)


def is_card_number(text: str) -> bool:
    return bool(_CARD.fullmatch(text)) and text[-1] == luhn_check_digit(text[:-1])
