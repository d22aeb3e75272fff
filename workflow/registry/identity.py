"""Facts about ID numbers (GB 11643-1999) and credit codes (GB 32100-2015): computed once at writing, so that no rule reads a number.

Facts that cannot be told (number not of the standard form, birth date or sex not recorded) are None, never False.
"""

from __future__ import annotations

import functools
import operator
from datetime import date
from typing import NamedTuple

from workflow.registry.dictionary import dictionary

STANDARD, FIFTEEN, LENGTH, CHARACTERS = "规范", "十五位", "长度不符", "含非法字符"
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_ID_ALPHABET = frozenset("0123456789X")
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUES = {letter: value for value, letter in enumerate(_USCC_ALPHABET)}
_USCC_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ORGANISATION_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class IdFacts(NamedTuple):
    """What is known of one ID number beside the birth date and sex that were recorded; in the order of tables.ID_FACTS."""

    id_form: str | None
    id_checksum_ok: bool | None
    id_birth_valid: bool | None
    id_birth_matches: bool | None
    id_sex_matches: bool | None
    id_region_known: bool | None


class UsccFacts(NamedTuple):
    """What is known of one unified social credit code; in the order of tables.USCC_FACTS."""

    uscc_form_ok: bool | None
    uscc_check_ok: bool | None


NO_ID = IdFacts(None, None, None, None, None, None)


def id_facts(number: str | None, birth_ymd: int | None, sex: str | None, today_ymd: int) -> IdFacts:
    """The facts of an ID number; dates as yyyymmdd, `sex` as its GB/T 2261.1 code, `today_ymd` the day of writing."""
    if not number:
        return NO_ID
    form = id_form(number)
    if form != STANDARD:
        return IdFacts(form, None, None, None, None, None)
    segment = int(number[6:14])
    return IdFacts(
        form,
        _ID_CHECKS[sum(map(operator.mul, _ID_WEIGHTS, number.encode())) % 11 - _ZERO_SUM] == number[17],
        19000101 <= segment <= today_ymd and _is_day(segment),
        None if birth_ymd is None else segment == birth_ymd,
        (number[16] in "13579") == (sex == "1") if sex in ("1", "2") else None,
        region_known(number[:6]),
    )


# The weights sum to 101 and the digits come as ASCII: 48 × 101 leaves 8 too much modulo 11; a negative index wraps round rightly.
_ZERO_SUM = 48 * sum(_ID_WEIGHTS) % 11


def id_form(number: str) -> str:
    """规范 (18 places), 十五位, 长度不符 or 含非法字符."""
    if not _ID_ALPHABET.issuperset(number):
        return CHARACTERS
    if len(number) == 18:
        return STANDARD if "X" not in number[:17] and number[0] != "0" else CHARACTERS
    return FIFTEEN if len(number) == 15 and "X" not in number else LENGTH


def id_check(first17: str) -> str:
    """The check character of the first 17 digits (ISO 7064 MOD 11-2)."""
    return _ID_CHECKS[sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, first17, strict=True)) % 11]


@functools.cache
def region_known(region: str) -> bool:
    """Whether six digits are a region of GB/T 2260, of today or of the past: a number keeps the code of its day of issue.

    Under a prefecture that the list of regions covers, that list decides; elsewhere the four-digit prefecture does, because an
    unknown county of another province is no proof of a wrong number.
    """
    regions, prefixes = dictionary().codes["region"].by_code, dictionary().codes["region_prefix"].by_code
    if region in regions:
        return True
    return region[:4] in prefixes and region[:4] not in {code[:4] for code in regions}


@functools.lru_cache(maxsize=65536)
def _is_day(number: int) -> bool:
    try:
        date(number // 10000, number // 100 % 100, number % 100)
    except ValueError:
        return False
    return True


def uscc_facts(code: str | None) -> UsccFacts:
    """The facts of a credit code: 18 places of its alphabet; C18 and the organisation code's C9 (GB 11714-1997) both right."""
    if not code:
        return UsccFacts(None, None)
    if len(code) != 18 or any(letter not in _USCC_VALUES for letter in code):
        return UsccFacts(False, None)
    return UsccFacts(True, uscc_check(code[:17]) == code[17] and organisation_check(code[8:16]) == code[16])


def uscc_check(first17: str) -> str:
    """C18 of the first 17 places."""
    total = sum(weight * _USCC_VALUES[letter] for weight, letter in zip(_USCC_WEIGHTS, first17, strict=True))
    return _USCC_ALPHABET[-total % 31]


def organisation_check(first8: str) -> str:
    """C9 of the first 8 places of an organisation code."""
    total = sum(
        w * _ORGANISATION_LETTERS.index(letter) for w, letter in zip(_ORGANISATION_WEIGHTS, first8, strict=True)
    )
    return "0123456789X0"[11 - total % 11]
