"""The two bodies that come from outside, with a limit on everything in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, NoReturn, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from experiments.errors import Invalid, NotJSON
from experiments.model import Amount

BODY_BYTES = 64 << 10
"""Bytes of the largest body that is read."""

_Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
_Unit: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
_Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
_Text: TypeAlias = Annotated[str, Meta(max_length=1024)]
_Whole: TypeAlias = Annotated[int, Meta(ge=-(2**53), le=2**53)]
_Tags: TypeAlias = Annotated[list[_Text], Meta(max_length=100)]
_Value: TypeAlias = _Text | _Whole | float | bool | _Tags | None
_Context: TypeAlias = Annotated[dict[_Name, _Value], Meta(max_length=100)]


class ChooseRequest(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The body of ``POST /choose``."""

    experiment: _Name
    unit: _Unit | None = None
    context: _Context = {}
    request_id: _Id | None = None
    previous: _Text | None = None
    variants: Annotated[list[_Name], Meta(min_length=1, max_length=200)] | None = None
    preview: _Name | None = None


class RewardRequest(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The body of ``POST /reward``."""

    metric: _Name
    decision: _Text | None = None
    experiment: _Name | None = None
    unit: _Unit | None = None
    value: Amount = 1.0
    id: Annotated[str, Meta(max_length=128)] = ""
    at: Annotated[datetime, Meta(tz=True)] | None = None


_Body = TypeVar("_Body", ChooseRequest, RewardRequest)
_choose = msgspec.json.Decoder(ChooseRequest)
_reward = msgspec.json.Decoder(RewardRequest)


def decode_choose(body: bytes) -> ChooseRequest:
    """Decode the body of ``POST /choose``.

    Raises
    ------
    NotJSON
        It is not JSON, or not UTF-8.
    Invalid
        A field is wrong; its path is in the message.
    """
    return _decode(body, _choose)


def decode_reward(body: bytes) -> RewardRequest:
    """Decode the body of ``POST /reward``; raises as :func:`decode_choose` does."""
    return _decode(body, _reward)


def _decode(body: bytes, decoder: msgspec.json.Decoder[_Body]) -> _Body:
    try:
        request = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), body) from error
    except (ValueError, RecursionError) as error:
        _refuse(body, error)
    if rb"\u0000" in body:  # the only way for NUL to get in
        _check_text(msgspec.to_builtins(request, builtin_types=(datetime,)))
    return request


def _invalid(problem: str, body: bytes) -> Invalid:
    what, _, path = problem.partition(" - at ")
    path = path.strip("`").removeprefix("$").removeprefix(".")
    if path.startswith("context[...]"):
        path = _culprit(body) + path.removeprefix("context[...]")
    return Invalid(f"{path or 'body'}: {what}")


def _culprit(body: bytes) -> str:
    """Which attribute of the context is wrong; the decoder does not say."""
    try:
        for name, value in json.loads(body)["context"].items():
            if not _fits({name: value}):
                return f"context.{_shown(name)}"
    except (ValueError, RecursionError):  # too broken, behind the first problem, to be read as a whole
        pass
    return "context"


def _fits(context: dict[str, Any]) -> bool:
    try:
        msgspec.json.decode(json.dumps(context), type=_Context)
    except ValueError:
        return False
    return True


def _refuse(body: bytes, error: Exception) -> NoReturn:
    """Tell what is no JSON from what only lenient readers take: NaN, Infinity and lone surrogates."""
    try:
        value = json.loads(body.decode(), parse_constant=_Constant)
    except (ValueError, RecursionError):
        raise NotJSON(f"the body is not JSON: {error}", hint="Send UTF-8 encoded JSON.") from error
    _check_text(value)
    raise NotJSON(f"the body is not JSON: {error}", hint="Send UTF-8 encoded JSON.") from error


class _Constant(str):
    """``NaN``, ``Infinity`` or ``-Infinity``, where a number should be."""

    __slots__ = ()


def _check_text(value: Any) -> None:
    for path, text in _texts(value, ""):
        if isinstance(text, _Constant):
            raise Invalid(f"{_shown(path)}: {text} is not a number", hint="Send a finite number, or null.")
        if "\0" in text:
            raise Invalid(f"{_shown(path)}: the text contains NUL")
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise Invalid(f"{_shown(path)}: the text contains half of a surrogate pair")


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in ``value``, keys included, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else key
            yield inner, key
            yield from _texts(item, inner)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _texts(item, f"{path}[{position}]")


def _shown(path: str) -> str:
    """A path that came from outside, so that any answer can hold it."""
    return path.encode("ascii", "backslashreplace").decode()[:200] or "body"
