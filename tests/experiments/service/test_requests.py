"""The bodies that come from outside: whatever they are, they decode or are refused with a path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import Invalid, NotJSON
from experiments.service.requests import decode_choose, decode_reward


def choose(**fields: Any) -> bytes:
    """A body of /choose."""
    return json.dumps({"experiment": "spring", "unit": "visitor"} | fields).encode()


def test_a_whole_request_decodes() -> None:
    """With every type that a context may hold."""
    context = {"text": "ä😀", "int": 14, "float": 0.5, "flag": True, "nothing": None, "tags": ["sale"]}
    request = decode_choose(choose(context=context, request_id="r", previous="t", variants=["a"], preview="a"))
    assert request.context == context
    assert (request.request_id, request.previous, request.variants, request.preview) == ("r", "t", ["a"], "a")


def test_a_reward_has_defaults() -> None:
    """One conversion, once."""
    request = decode_reward(b'{"decision": "token", "metric": "purchase"}')
    assert (request.value, request.id, request.at, request.unit) == (1.0, "", None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nul",
        b"{",
        b"\xff",
        b'{"experiment": "\xed\xa0\x80"}',
        choose() + b"x",
        b'{"experiment": "a',
        b"\x1f\x8b\x08\x00",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_not_json_is_400(body: bytes) -> None:
    """Truncated, not UTF-8, compressed, or nothing at all."""
    with pytest.raises(NotJSON) as caught:
        decode_choose(body)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"[]", "body: "),
        (b"{}", "body: .*experiment"),
        (choose(unitt="x"), "body: .*unitt"),
        (choose(unit=5), "unit: "),
        (choose(unit=""), "unit: "),
        (choose(unit="x" * 257), "unit: "),
        (choose(context={"a": {"b": 1}}), r"context\.a: "),
        (choose(context={"ok": 1, "long": "x" * 1025}), r"context\.long: "),
        (choose(context={"ok": 1, "big": 2**53 + 1}), r"context\.big: "),
        (choose(context={"n": -(2**53) - 1}), r"context\.n: "),
        (choose(context={"n": 10**40}), r"context\.n: "),
        (choose(context={"tags": ["a", 1]}), r"context\.tags\[1\]: "),
        (choose(context={f"a{i}": i for i in range(101)}), "context: "),
        (choose(context={"x" * 65: 1}), "context"),
        (choose(variants=[]), "variants: "),
        (choose(variants=["a", 1]), r"variants\[1\]: "),
        (choose(context={"n": float("nan")}), r"context\.n: NaN"),
        (choose(context={"n": float("-inf")}), r"context\.n: -Infinity"),
        (b'{"experiment": "a", "context": {"n": 1e400}}', r"context"),
        (b'{"experiment": "a", "unit": "x\\u0000"}', "unit: .*NUL"),
        (b'{"experiment": "a", "context": {"k\\u0000": 1}}', "NUL"),
        (b'{"experiment": "a", "context": {"k": ["x", "\\u0000"]}}', r"context\.k\[1\]: .*NUL"),
        (b'{"experiment": "a", "unit": "\\ud800"}', "unit: .*surrogate"),
        (b'{"experiment": "a", "unit": "\\udc00x"}', "unit: .*surrogate"),
        (b'{"experiment": "a", "context": {"\\ud800": 1}}', "surrogate"),
    ],
)
def test_a_wrong_field_is_422_with_its_path(body: bytes, path: str) -> None:
    """Also where the decoder itself only says that something in the context is wrong."""
    with pytest.raises(Invalid, match=path) as caught:
        decode_choose(body)
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"decision": "t"}', "metric"),
        (b'{"metric": "m", "value": true}', "value: "),
        (b'{"metric": "m", "value": "1"}', "value: "),
        (b'{"metric": "m", "value": 1e999}', "value: "),
        (b'{"metric": "m", "at": "yesterday"}', "at: "),
        (b'{"metric": "m", "at": "2026-11-22T10:00:00"}', "at: "),
    ],
)
def test_a_wrong_reward_is_422_with_its_path(body: bytes, path: str) -> None:
    """A time needs its zone, a value a finite number."""
    with pytest.raises(Invalid, match=path) as caught:
        decode_reward(body)
    assert caught.value.status == 422


def test_an_escaped_backslash_before_u0000_is_harmless() -> None:
    """Six plain characters are no NUL."""
    assert decode_choose(b'{"experiment": "a", "unit": "\\\\u0000"}').unit == "\\u0000"


@pytest.mark.parametrize("start", [b"", b'{"experiment": "a", "context": {"x": '])
@pytest.mark.parametrize("nest", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(start: bytes, nest: bytes) -> None:
    """And crashes nothing."""
    with pytest.raises(Invalid):
        decode_choose(start + nest * 100_000)


def test_a_hundred_thousand_keys_are_refused() -> None:
    """By the limit on attributes."""
    with pytest.raises(Invalid, match="context"):
        decode_choose(choose(context={str(i): i for i in range(100_000)}))


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    """No other exception exists."""
    for decode in (decode_choose, decode_reward):
        with pytest.raises(Invalid):
            decode(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values), json_values)
def test_any_json_in_the_fields_is_decoded_or_refused(context: dict[str, Any], unit: Any) -> None:
    """What decodes is what was sent, but for NUL."""
    body = choose(context=context, unit=unit)
    try:
        request = decode_choose(body)
    except Invalid:
        return
    assert (request.context, request.unit) == (context, unit)
    assert "\0" not in f"{context}{unit}"
