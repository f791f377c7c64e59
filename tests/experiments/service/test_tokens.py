"""Decision tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import Invalid
from experiments.secret import Secret
from experiments.service.tokens import LONGEST, REWARD_GRACE, STICKY_AGE, Token, sign, verify

SECRET = Secret(b"a secret of more than thirty-two characters")
TOKEN = Token(
    experiment=7,
    decision="0199" + "ab" * 14,
    unit="cd" * 16,
    variant="calm",
    probability=0.41230000000000006,
    policy_version=17,
    time=1_795_000_000_000_000,
)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
hex16 = st.binary(min_size=16, max_size=16).map(bytes.hex)


@given(
    st.builds(
        Token,
        experiment=st.integers(0, 2**32 - 1),
        decision=hex16,
        unit=st.none() | hex16.filter(lambda text: set(text) != {"0"}),
        variant=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True),
        probability=st.floats(0, 1),
        policy_version=st.integers(0, 2**32 - 1),
        time=st.integers(0, 2**63),
        preview=st.booleans(),
    )
)
def test_what_was_signed_comes_back_exactly(token: Token) -> None:
    """Every field, the propensity to the last bit, within the longest length."""
    text = sign(token, SECRET)
    assert verify(text, SECRET) == token
    assert len(text) < LONGEST


def test_every_changed_character_is_refused() -> None:
    """All other spellings of every character, the last one's spare bits included."""
    text = sign(TOKEN, SECRET)
    for i, right in enumerate(text):
        for wrong in ALPHABET.replace(right, ""):
            with pytest.raises(Invalid):
                verify(text[:i] + wrong + text[i + 1 :], SECRET)


@pytest.mark.parametrize("length", range(len(sign(TOKEN, SECRET))))
def test_every_truncation_is_refused(length: int) -> None:
    """A token is whole or nothing."""
    with pytest.raises(Invalid):
        verify(sign(TOKEN, SECRET)[:length], SECRET)


@given(st.text(max_size=300) | st.text(ALPHABET, max_size=300))
def test_no_text_is_a_token(text: str) -> None:
    """Anything from outside is refused, and nothing else happens."""
    with pytest.raises(Invalid) as caught:
        verify(text, SECRET)
    assert (caught.value.status, caught.value.code) == (422, "invalid_token")


@pytest.mark.parametrize("suffix", ["=", "A", "\n", " ", "A" * 10_000])
def test_a_longer_text_is_refused(suffix: str) -> None:
    """Padding and line ends included."""
    with pytest.raises(Invalid):
        verify(sign(TOKEN, SECRET) + suffix, SECRET)


def test_a_token_of_another_installation_is_refused() -> None:
    """Its key is another one."""
    with pytest.raises(Invalid):
        verify(sign(TOKEN, Secret(b"another secret of thirty-two characters")), SECRET)


def test_the_previous_key_stays_valid_and_the_one_before_does_not() -> None:
    """Rotating the token key refuses nobody whose token is fresh."""
    master = b"a secret of more than thirty-two characters"
    text = sign(TOKEN, Secret(master, token_key=4))
    assert verify(text, Secret(master, token_key=5)) == TOKEN
    with pytest.raises(Invalid):
        verify(text, Secret(master, token_key=6))


def test_a_token_rewards_until_a_day_after_its_window() -> None:
    """And not a microsecond longer."""
    window = 1_800_000_000
    last = TOKEN.time + window + REWARD_GRACE
    assert TOKEN.rewardable(last, window=window)
    assert not TOKEN.rewardable(last + 1, window=window)


def test_a_token_sticks_for_ninety_days() -> None:
    """Whatever the window."""
    assert TOKEN.sticks(TOKEN.time + STICKY_AGE)
    assert not TOKEN.sticks(TOKEN.time + STICKY_AGE + 1)
