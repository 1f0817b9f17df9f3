"""A pseudonym has the shape of what it stands for, is another, and is nobody else's."""

import re
import string
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.fixture.pseudonyms import MAX_SUBACCOUNT, Pseudonyms, new_key

ONE = Pseudonyms(b"one key of many, long enough")
OTHER = Pseudonyms(b"another key, as long as that")
TEXTS = st.text(alphabet=string.ascii_letters + string.digits + "-_.:", min_size=1, max_size=80).map(str.encode)


def classes(value: bytes) -> str:
    text = value.decode("latin-1")
    for pattern, mark in (("[0-9]", "9"), ("[a-z]", "a"), ("[A-Z]", "A")):
        text = re.sub(pattern, mark, text)
    return text


@given(TEXTS)
def test_a_text_keeps_its_length_and_where_digits_and_letters_are(value: bytes) -> None:
    other = ONE.text(value)
    is_hex = re.fullmatch(rb"[0-9a-f]{8,}", value) is not None
    assert re.fullmatch(rb"[0-9a-f]+", other) if is_hex else classes(other) == classes(value)
    assert len(other) == len(value)


@given(TEXTS)
def test_a_text_is_another_one_and_always_the_same(value: bytes) -> None:
    assert (ONE.text(value) == value) == (re.search(rb"[A-Za-z0-9]", value) is None)
    assert Pseudonyms(b"one key of many, long enough").text(value) == ONE.text(value)


@pytest.mark.parametrize("shape", ["9", "a9", "99", "A-9", "999"])
def test_no_two_texts_of_a_shape_get_the_same_pseudonym_and_none_keeps_its_own(shape: str) -> None:
    letters = {"9": string.digits, "a": string.ascii_lowercase, "A": string.ascii_uppercase, "-": "-"}
    values = ["".join(found).encode() for found in product(*(letters[mark] for mark in shape))]
    others = [ONE.text(value) for value in values]
    assert sorted(others) == sorted(values)
    assert [value for value, other in zip(values, others, strict=True) if value == other] == []


def test_another_key_gives_other_pseudonyms_and_new_keys_differ() -> None:
    values = [f"client-{number:08d}".encode() for number in range(200)]
    assert [value for value in values if ONE.text(value) == OTHER.text(value)] == []
    assert new_key() != new_key()


@given(st.uuids(version=4))
def test_a_uuid_stays_one_of_its_kind(value: object) -> None:
    digits = str(value).replace("-", "").encode()
    other = ONE.uuid(digits)
    assert re.fullmatch(rb"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", other)
    assert other != digits and ONE.uuid(digits.upper()) == other


def test_uuids_do_not_meet() -> None:
    values = [b"%032x" % (number << 64) for number in range(2_000)]
    assert len({ONE.uuid(value) for value in values}) == len(values)


@given(st.integers(min_value=0, max_value=10**15))
def test_a_number_keeps_its_digits_and_begins_with_none_more(value: int) -> None:
    other = ONE.number(b"%d" % value)
    assert len(other) == len(str(value)) and int(other) != value
    assert len(str(int(other))) == len(other)


def test_subaccounts_change_places_within_their_length() -> None:
    others = [ONE.subaccount(number) for number in range(MAX_SUBACCOUNT + 1)]
    assert others[0] == 0 and ONE.subaccount(64) == 64
    assert sorted(others[1:10]) == list(range(1, 10)) and sorted(others) == list(range(MAX_SUBACCOUNT + 1))
    assert [number for number, other in enumerate(others) if number == other] == [0]


@pytest.mark.parametrize("value", ["Jürgen Müller", "имя", "名前12"])
def test_what_is_no_ascii_becomes_letters_of_the_same_length(value: str) -> None:
    other = ONE.text(value.encode())
    assert other.isascii() and len(other) == len(value.encode()) and other.isalpha()


def test_a_long_secret_is_another_from_end_to_end() -> None:
    value = b"A7z+" * 200
    other = ONE.text(value)
    assert classes(other) == classes(value)
    assert sum(one == two for one, two in zip(value, other, strict=True)) < 350  # a quarter are signs, which stay
