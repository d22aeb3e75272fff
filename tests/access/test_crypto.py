"""Proof of field encryption: it opens what it sealed, notices every change, and finds equal numbers by digest only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.access.crypto import CannotOpen, FieldCipher, is_mask, mask_id

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
TEXTS = st.text(min_size=0, max_size=40)


@pytest.fixture(params=["sm4", "aes"], scope="module")
def cipher(request: pytest.FixtureRequest) -> FieldCipher:
    """One key under either algorithm."""
    return FieldCipher({1: KEY}, request.param)


@given(plain=TEXTS)
def test_what_was_sealed_opens_again(cipher: FieldCipher, plain: str) -> None:
    assert cipher.open(cipher.seal(plain)) == plain


def test_the_same_number_is_never_sealed_alike(cipher: FieldCipher) -> None:
    assert cipher.seal("33020319650115001X") != cipher.seal("33020319650115001X")


@given(place=st.integers(0, 47), flip=st.integers(1, 255))
def test_no_byte_can_be_changed_unnoticed(cipher: FieldCipher, place: int, flip: int) -> None:
    sealed = bytearray(cipher.seal("33020319650115001X"))
    sealed[place] ^= flip
    with pytest.raises(CannotOpen):
        cipher.open(bytes(sealed))


@given(sealed=st.binary(max_size=60))
def test_odd_bytes_are_refused_in_words(cipher: FieldCipher, sealed: bytes) -> None:
    with pytest.raises(CannotOpen, match="无法解密"):
        cipher.open(sealed)


def test_another_key_does_not_open_and_gives_another_digest() -> None:
    ours, theirs = FieldCipher({1: KEY}), FieldCipher({1: OTHER})
    with pytest.raises(CannotOpen):
        theirs.open(ours.seal("33020319650115001X"))
    assert ours.digest("33020319650115001X") != theirs.digest("33020319650115001X")


def test_after_a_rotation_old_values_still_open_and_new_ones_carry_the_new_key() -> None:
    sealed = FieldCipher({1: KEY}).seal("330205198808081233")
    rotated = FieldCipher({1: KEY, 2: OTHER})
    assert rotated.open(sealed) == "330205198808081233"
    assert (rotated.key_id(sealed), rotated.key_id(rotated.seal("x"))) == (1, 2)


def test_a_change_of_algorithm_still_opens_what_the_other_sealed() -> None:
    sealed = FieldCipher({1: KEY}, "sm4").seal("330205198808081233")
    assert FieldCipher({1: KEY}, "aes").open(sealed) == "330205198808081233"


def test_the_digest_forgives_case_and_outer_spaces(cipher: FieldCipher) -> None:
    assert cipher.digest(" 33020319650115001x ") == cipher.digest("33020319650115001X")
    assert cipher.digest("33020319650115001X") != cipher.digest("330203196501150011")


def test_a_mask_shows_neither_region_nor_serial_number() -> None:
    assert mask_id("33020319650115001X") == "33**************1X"
    assert mask_id("1234") == "****"
    assert mask_id(None) == ""


@given(plain=st.text(alphabet="0123456789X", min_size=1, max_size=20))
def test_a_mask_is_known_as_one_and_keeps_the_length(plain: str) -> None:
    assert is_mask(mask_id(plain))
    assert len(mask_id(plain)) == len(plain)
    assert not is_mask(plain)
