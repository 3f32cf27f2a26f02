"""Made-up people and companies whose numbers pass every check digit, so that no valid-looking row is refused at the door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from custody.identity_numbers import id_check_digit, luhn_check_digit, uscc_check_digit

_REGIONS = ("110101", "120103", "310104", "320106", "330106", "370102", "420106", "440305", "510107", "610113")
_FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
# The last two stand outside GBK: in GB18030 they take four bytes, which a careless reader gets wrong.
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰䶮㛃"
_COMPANY = ("恒达", "瑞丰", "中联", "华信", "嘉禾", "远景", "金泰", "同创")
_TRADE = ("商贸", "机械", "食品", "物流", "建材", "纺织")
_CARD_PREFIXES = ("622202", "621700", "622848", "621661")
_USCC_BODY = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_FIRST_BIRTH = date(1955, 1, 1)
_BIRTH_DAYS = 16_000


@dataclass(frozen=True, slots=True)
class Person:
    """A natural or legal person (``kind`` PERSON or COMPANY) with the paper that identifies it on every platform."""

    kind: str
    id_type: str
    id_no: str
    name: str
    phone: str
    card_no: str


def make_person(rng: Random) -> Person:
    birth = (_FIRST_BIRTH + timedelta(days=_below(rng, _BIRTH_DAYS))).isoformat().replace("-", "")
    first17 = f"{_one_of(rng, _REGIONS)}{birth}{1 + _below(rng, 999):03d}"
    name = _one_of(rng, _FAMILY) + _one_of(rng, _GIVEN)
    if _below(rng, 3):
        name += _one_of(rng, _GIVEN)
    return Person("PERSON", "ID", first17 + id_check_digit(first17), name, _phone(rng), _card(rng))


def make_company(rng: Random) -> Person:
    first17 = f"91{_one_of(rng, _REGIONS)}" + "".join(_one_of(rng, _USCC_BODY) for _ in range(9))
    name = f"{_one_of(rng, _COMPANY)}{_one_of(rng, _FAMILY)}{_one_of(rng, _TRADE)}有限公司"
    return Person("COMPANY", "USCC", first17 + uscc_check_digit(first17), name, _phone(rng), _card(rng))


def with_new_phone(person: Person, rng: Random) -> Person:
    return replace(person, phone=_phone(rng))


def with_new_card(person: Person, rng: Random) -> Person:
    return replace(person, card_no=_card(rng))


def _phone(rng: Random) -> str:
    return f"1{_one_of(rng, '3456789')}{_below(rng, 10**9):09d}"


def _card(rng: Random) -> str:
    body = f"{_one_of(rng, _CARD_PREFIXES)}{_below(rng, 10**12):012d}"
    return body + luhn_check_digit(body)


def _below(rng: Random, limit: int) -> int:
    """Three times as fast as Random.randrange, and even enough: a large world has a million people."""
    return int(rng.random() * limit)


def _one_of(rng: Random, things: Sequence[str]) -> str:
    return things[int(rng.random() * len(things))]
