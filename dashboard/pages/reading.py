"""Typed text to values: what does not parse is remembered under the HTML name of its field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from bandit.registry import Parameter
from bandit.validation import InvalidInput
from experiments.errors import Invalid


class FormInvalid(Invalid):
    """Fields of the form do not parse; ``problems`` says which and why, by HTML name."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        count = len(problems)
        super().__init__(f"{count} field{'s' if count > 1 else ''} need{'' if count > 1 else 's'} another look.")
        self.problems = dict(problems)


class FieldReader:
    """Turns text into values and remembers, by field, what did not turn."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def number(self, name: str, text: str, *, needed: bool = False) -> int | float | None:
        """Read a number; empty text is None, and a complaint where one is ``needed``."""
        text = text.strip()
        if not text:
            if needed:
                self.problems[name] = "A number is needed here."
            return None
        value = self._try(name, _finite, text, f"{text[:40]!r} is not a number.")
        return value if value is None or value != int(value) else int(value)

    def share(self, name: str, text: str, *, most: float | None = 100, needed: bool = True) -> float | None:
        """Read a percentage of 0 to ``most``; empty text is None, and a complaint where one is ``needed``."""
        value = self.number(name, text, needed=needed)
        if value is not None and most is not None and not 0 <= value <= most:
            self.problems[name] = f"{text} is not from 0 to {most:g} percent."
        return None if value is None else round(value / 100, 12)

    def numbers(self, name: str, text: str) -> list[int | float]:
        """Read numbers between commas."""
        read = [self.number(name, part) for part in listed(text)]
        return [value for value in read if value is not None]

    def mapping(self, name: str, text: str) -> dict[str, Any]:
        """Read a JSON object; empty text is an empty one."""
        if not text.strip():
            return {}
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except json.JSONDecodeError as error:
            self.problems[name] = f"This is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        except (ValueError, RecursionError) as error:
            self.problems[name] = f"This is not JSON: {error}"
        else:
            if isinstance(value, dict):
                return value
            self.problems[name] = 'This is JSON, but not an object: it must look like {"name": "value"}.'
        return {}

    def values(self, name: str, text: str) -> list[str]:
        """Read values between commas, or a JSON list where values hold commas themselves."""
        if not text.strip().startswith("["):
            return listed(text)
        value = self._try(name, json.loads, text, "This begins like a JSON list but is none.")
        return [str(item) for item in value or ()]

    def pairs(self, name: str, text: str) -> list[list[str]]:
        """Read pairs of names between commas, each with a star between the two."""
        pairs = [[half.strip() for half in pair.split("*")] for pair in listed(text)]
        for pair in pairs:
            if len(pair) != 2 or not all(pair):
                self.problems[name] = f"{' * '.join(pair)[:40]!r} is not a pair: write it like device * hour."
        return pairs

    def check(self, name: str, parameter: Parameter, value: float | None) -> None:
        """Hold a policy's parameter against its range; None was reported when it was read."""
        try:
            if value is not None:
                parameter.check(value)
        except InvalidInput as error:
            self.problems[name] = f"{error}."

    def _try(self, name: str, parse: Callable[[str], Any], text: str, message: str) -> Any:
        try:
            return parse(text)
        except (ValueError, RecursionError):
            self.problems[name] = message
            return None


def listed(text: str) -> list[str]:
    """Split at commas.

    >>> listed(" a, b,,c ")
    ['a', 'b', 'c']
    """
    return [item.strip() for item in text.split(",") if item.strip()]


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(f"{text} is not finite")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
