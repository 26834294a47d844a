"""Tokens: what is signed is read, and nothing else is."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.tracking.tokens import RETURN_LENGTH, TOKEN_LENGTH, Keyring, Purpose, Token

U32 = st.integers(0, 2**32 - 1)
U40 = st.integers(0, 2**40 - 1)
PURPOSES = st.sampled_from(Purpose)
RING = Keyring(b"the installation's secret")
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def alphabet(purpose):
    return BASE32 if purpose is Purpose.RETURN else BASE64


@given(PURPOSES, U32, U32, U40)
@settings(max_examples=200, deadline=None)
def test_what_was_signed_is_read_back(purpose, run, seq, contact):
    text = RING.sign(purpose, run, seq, contact)
    assert RING.read(purpose, text) == Token(purpose, run, seq, contact)
    assert set(text) <= set(alphabet(purpose))
    assert len(text) == (RETURN_LENGTH if purpose is Purpose.RETURN else TOKEN_LENGTH)


@given(PURPOSES, U32, U32, U40)
@settings(max_examples=100, deadline=None)
def test_the_text_is_plain_rfc_4648(purpose, run, seq, contact):
    text = RING.sign(purpose, run, seq, contact)
    if purpose is Purpose.RETURN:
        raw = base64.b32decode(text.upper() + "====")
    else:
        raw = base64.urlsafe_b64decode(text)
    assert raw[0] == 0x10 + purpose
    assert raw[2:6] == run.to_bytes(4, "big")
    assert raw[6:10] == seq.to_bytes(4, "big")
    assert raw[10:15] == contact.to_bytes(5, "big")
    assert len(raw) == 27


@given(PURPOSES, U32, U32, U40, st.data())
@settings(max_examples=400, deadline=None)
def test_any_changed_character_is_refused(purpose, run, seq, contact, data):
    text = RING.sign(purpose, run, seq, contact)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(alphabet(purpose)).filter(lambda letter: letter != text[place]))
    assert RING.read(purpose, text[:place] + other + text[place + 1 :]) is None


def test_every_single_changed_character_of_one_token_is_refused():
    for purpose in Purpose:
        text = RING.sign(purpose, 7, 9, 11)
        for place, letter in enumerate(text):
            for other in alphabet(purpose):
                if other != letter:
                    assert RING.read(purpose, text[:place] + other + text[place + 1 :]) is None


@given(PURPOSES, PURPOSES, U32, U32, U40)
@settings(max_examples=100, deadline=None)
def test_a_token_of_one_purpose_is_worth_nothing_for_another(one, other, run, seq, contact):
    read = RING.read(other, RING.sign(one, run, seq, contact))
    assert (read is not None) == (one is other)


def test_the_purposes_have_keys_of_their_own():
    open_mac = RING.sign(Purpose.OPEN, 1, 2, 3)[20:]
    assert open_mac != RING.sign(Purpose.CLICK, 1, 2, 3)[20:]
    # A click's MAC on an open's ids is refused even where the head byte is put right.
    raw = bytearray(base64.urlsafe_b64decode(RING.sign(Purpose.OPEN, 1, 2, 3)))
    raw[0] = 0x10 + Purpose.CLICK
    assert RING.read(Purpose.CLICK, base64.urlsafe_b64encode(raw).decode()) is None


@given(U32, U32, U40, st.data())
@settings(max_examples=100, deadline=None)
def test_a_return_token_survives_any_folding_of_case(run, seq, contact, data):
    text = RING.sign(Purpose.RETURN, run, seq, contact)
    folded = "".join(letter.upper() if data.draw(st.booleans()) else letter for letter in text)
    assert RING.read(Purpose.RETURN, folded) == Token(Purpose.RETURN, run, seq, contact)
    assert len("b+" + text) <= 64


@pytest.mark.parametrize("spare", range(1, 16))
def test_the_spare_bits_of_a_return_token_must_be_zero(spare):
    text = RING.sign(Purpose.RETURN, 1, 2, 3)
    last = BASE32[BASE32.index(text[-1]) + spare]
    assert RING.read(Purpose.RETURN, text[:-1] + last) is None


@pytest.mark.parametrize(
    "spelling",
    [
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text[:10] + "\n" + text[10:],
        lambda text: text.replace("-", "+").replace("_", "/"),
    ],
)
def test_a_token_has_one_spelling_only(spelling):
    texts = (RING.sign(Purpose.CLICK, 1, seq, 3) for seq in range(200))
    text = next(text for text in texts if "-" in text and "_" in text)
    assert RING.read(Purpose.CLICK, text) is not None
    assert RING.read(Purpose.CLICK, spelling(text)) is None


@given(PURPOSES, st.text(st.characters(), max_size=60))
@settings(max_examples=300, deadline=None)
def test_hostile_text_is_nothing_and_never_an_error(purpose, text):
    assert RING.read(purpose, text) is None


@pytest.mark.parametrize("letter", ["K", "ſ", "é", "\ud800", "\0", "𝒂", "４"])
def test_a_letter_that_folds_into_ascii_is_not_ascii(letter):
    for purpose in Purpose:
        text = RING.sign(purpose, 1, 2, 3)
        assert RING.read(purpose, letter + text[1:]) is None
        assert RING.read(purpose, text[:-1] + letter) is None


def test_a_retired_secret_still_reads_but_no_longer_signs():
    before, after = Keyring(b"old"), Keyring(b"new", old=[b"old"])
    text = before.sign(Purpose.UNSUBSCRIBE, 1, 2, 3)
    assert after.read(Purpose.UNSUBSCRIBE, text) == Token(Purpose.UNSUBSCRIBE, 1, 2, 3)
    assert Keyring(b"new").read(Purpose.UNSUBSCRIBE, text) is None
    assert before.read(Purpose.UNSUBSCRIBE, after.sign(Purpose.UNSUBSCRIBE, 1, 2, 3)) is None


def test_secrets_that_share_a_key_id_are_both_tried():
    first = Keyring(b"0").sign(Purpose.OPEN, 1, 2, 3)
    twin = next(
        secret
        for secret in (str(number).encode() for number in range(1, 5000))
        if Keyring(secret).sign(Purpose.OPEN, 1, 2, 3)[:2] == first[:2]
        and base64.urlsafe_b64decode(Keyring(secret).sign(Purpose.OPEN, 1, 2, 3))[1]
        == base64.urlsafe_b64decode(first)[1]
    )
    ring = Keyring(twin, old=[b"0"])
    assert ring.read(Purpose.OPEN, first) == Token(Purpose.OPEN, 1, 2, 3)
    assert ring.read(Purpose.OPEN, ring.sign(Purpose.OPEN, 4, 5, 6)) == Token(Purpose.OPEN, 4, 5, 6)


@pytest.mark.parametrize("ids", [(-1, 0, 0), (2**32, 0, 0), (0, 2**32, 0), (0, 0, 2**40), (0, 0, -1)])
def test_an_id_that_does_not_fit_is_refused(ids):
    with pytest.raises(ValueError, match="too large"):
        RING.sign(Purpose.OPEN, *ids)


@pytest.mark.parametrize("old", [(), (b"",)])
def test_an_empty_secret_is_refused(old):
    with pytest.raises(ValueError, match="POSTROOM_SECRET"):
        Keyring(b"" if not old else b"good", old)
