"""Decision tokens: what the site gets for a decision, and shows again to reward it or to stay with it.

A token is ``base64url(fields + keyed BLAKE2b of 128 bits)``. It carries the decision's propensity and policy version,
so a reward can be joined, and a sticky visitor answered, without looking anything up.
"""

from __future__ import annotations

from binascii import Error as BinasciiError
from binascii import a2b_base64, b2a_base64
from hmac import compare_digest
from struct import Struct
from typing import NamedTuple, NoReturn

from experiments.errors import Invalid
from experiments.secret import MAC_BYTES, Secret

REWARD_GRACE = 24 * 3_600 * 1_000_000
"""µs after its reward window for which a token is still accepted with a reward (kept, but late)."""
STICKY_AGE = 90 * 86_400 * 1_000_000
"""µs after a decision for which its token makes the visitor stay with it."""
LONGEST = 256
"""Characters of the longest text that is looked at; a real token has at most 192."""

_FORMAT, _PREVIEW_FORMAT = 1, 2
_HEAD = Struct(">BBIIB")
"""Format, key id, experiment, policy version, length of the variant's key; the key follows, padded."""
_TAIL = Struct(">16s16sdQ")
"""Decision, unit, probability, time; the authentication code follows."""
_NO_UNIT = bytes(16)
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/", b"+/!!")


class Token(NamedTuple):
    """A decision as its token tells it; ``unit`` is the pseudonym, ``time`` the acceptance in µs since 1970 UTC."""

    experiment: int
    decision: str
    unit: str | None
    variant: str
    probability: float
    policy_version: int
    time: int
    preview: bool = False
    """Whether somebody only looked at the variant."""

    def rewardable(self, now: int, *, window: int) -> bool:
        """Whether a reward may still name it: until the reward ``window`` (µs) and a day are over."""
        return now <= self.time + window + REWARD_GRACE

    def sticks(self, now: int) -> bool:
        """Whether a visitor may still stay with it: 90 days, and never with what was a preview."""
        return not self.preview and now <= self.time + STICKY_AGE


def sign(token: Token, secret: Secret) -> str:
    """The token as text, signed with the secret's newest token key."""
    start = stub(
        secret,
        experiment=token.experiment,
        variant=token.variant,
        policy_version=token.policy_version,
        preview=token.preview,
    )
    text = complete(
        start, secret, decision=token.decision, unit=token.unit, probability=token.probability, time=token.time
    )
    return text.decode()


def stub(secret: Secret, *, experiment: int, variant: str, policy_version: int, preview: bool = False) -> bytes:
    """The start of a token, which all decisions for one variant under one policy version share."""
    key = variant.encode()
    format_ = _PREVIEW_FORMAT if preview else _FORMAT
    head = _HEAD.pack(format_, secret.token_key, experiment, policy_version, len(key)) + key
    return head + bytes(-(len(head) + _TAIL.size + MAC_BYTES) % 3)  # whole groups of base64 need no padding


def complete(start: bytes, secret: Secret, *, decision: str, unit: str | None, probability: float, time: int) -> bytes:
    """The whole token of one decision that begins with ``start``, in ASCII."""
    who = _NO_UNIT if unit is None else bytes.fromhex(unit)
    body = start + _TAIL.pack(bytes.fromhex(decision), who, probability, time)
    return b2a_base64(body + secret.sign(body), newline=False).translate(_TO_URL)


def verify(text: str, secret: Secret) -> Token:
    """What ``text`` says, once its signature holds.

    Raises
    ------
    Invalid
        It is truncated, forged, oversized, not canonical base64url, or signed with a key that is no longer accepted.
    """
    sealed = _decode(text)
    body, mac = sealed[:-MAC_BYTES], sealed[-MAC_BYTES:]
    if len(body) < _HEAD.size + _TAIL.size or body[0] not in (_FORMAT, _PREVIEW_FORMAT):
        _refuse()
    key = secret.token_keys.get(body[1])
    if key is None or not compare_digest(key.mac(body), mac):
        _refuse()
    _, _, experiment, policy_version, length = _HEAD.unpack_from(body)
    decision, unit, probability, time = _TAIL.unpack_from(body, len(body) - _TAIL.size)
    return Token(
        experiment=experiment,
        decision=decision.hex(),
        unit=None if unit == _NO_UNIT else unit.hex(),
        variant=body[_HEAD.size : _HEAD.size + length].decode(),
        probability=probability,
        policy_version=policy_version,
        time=time,
        preview=body[0] == _PREVIEW_FORMAT,
    )


def _decode(text: str) -> bytes:
    """The bytes of canonical base64url; nothing else decodes, so a token has one spelling only."""
    if len(text) > LONGEST or not text.isascii():
        _refuse()
    try:
        raw = a2b_base64(text.encode().translate(_FROM_URL), strict_mode=True)
    except BinasciiError:
        _refuse()
    if b2a_base64(raw, newline=False).translate(_TO_URL) != text.encode():
        _refuse()
    return raw


def _refuse() -> NoReturn:
    raise Invalid(
        "decision: it is not a token that this installation gave out",
        hint="Send the `decision` of a /choose answer unchanged.",
        code="invalid_token",
    )
