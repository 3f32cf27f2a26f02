"""Check digits, on the standards' own examples."""

import pytest

from custody.identity_numbers import (
    id_check_digit,
    is_card_number,
    is_identity_number,
    is_phone,
    is_uscc,
    luhn_check_digit,
    uscc_check_digit,
)


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])  # GB 11643-1999
def test_the_standards_own_identity_numbers(number: str) -> None:
    assert is_identity_number(number)
    assert id_check_digit(number[:17]) == number[17]


@pytest.mark.parametrize(
    "number",
    [
        "11010519491231002x", "110105194912310020", "11010519491231003X", "11010519491331002X", "010105194912310021", "",
        "11010519491231002", "11010519491231002X ", "１1010519491231002X",
    ],
)  # fmt: skip
def test_other_identity_numbers_are_refused(number: str) -> None:
    assert not is_identity_number(number)


def test_a_right_check_digit_on_a_wrong_birthday_is_refused() -> None:
    first17 = "11010519490230002"
    assert not is_identity_number(first17 + id_check_digit(first17))


def test_every_single_wrong_digit_of_an_identity_number_shows() -> None:
    number = "440524188001010014"
    for place in range(17):
        for digit in "0123456789":
            changed = number[:place] + digit + number[place + 1 :]
            assert is_identity_number(changed) == (changed == number)


def test_the_standards_own_credit_code() -> None:
    code = "91350100M000100Y43"  # GB 32100-2015
    assert is_uscc(code)
    assert uscc_check_digit(code[:17]) == "3"


@pytest.mark.parametrize("code", ["91350100M000100Y44", "91350100m000100Y43", "91350100I000100Y43", "91350100M000100Y4", ""])
def test_other_credit_codes_are_refused(code: str) -> None:
    assert not is_uscc(code)


@pytest.mark.parametrize("card", ["4111111111111111", "5500005555555559", "6011000990139424"])
def test_luhn_on_published_test_cards(card: str) -> None:
    assert is_card_number(card)
    assert luhn_check_digit(card[:-1]) == card[-1]
    for place in range(len(card)):
        changed = card[:place] + str((int(card[place]) + 1) % 10) + card[place + 1 :]
        assert not is_card_number(changed)


@pytest.mark.parametrize("card", ["", "0", "41111111111", "0111111111111111", "4111-1111-1111-1111", "4" * 20])
def test_what_is_no_card_number(card: str) -> None:
    assert not is_card_number(card)


@pytest.mark.parametrize(
    ("phone", "good"),
    [("13812345678", True), ("19912345678", True), ("12812345678", False), ("1381234567", False), ("+8613812345678", False)],
)
def test_mobile_numbers(phone: str, good: bool) -> None:
    assert is_phone(phone) is good
