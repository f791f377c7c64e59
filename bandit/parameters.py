"""What a policy can be told: each parameter with its default, range, unit and help."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bandit.validation import InvalidInput, require

Kind: TypeAlias = Literal["float", "int"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that shapes a policy; the dashboard builds a field of its form from it.

    >>> Parameter("alpha", 0.25, 0.0, 100.0, help="width").check(0.5)
    0.5
    """

    name: str
    default: float | int
    minimum: float | int
    maximum: float | int
    unit: str = ""
    help: str = ""
    kind: Kind = "float"
    settled: bool = False
    """Whether the default asks for what suits the arms and contexts: a policy replaces it when it is made."""

    def agrees(self, made: float | int, asked: float | int) -> bool:
        """Say whether a policy that has the value ``made`` is one that was ``asked`` for."""
        return made == asked or (self.settled and asked == self.default)

    def check(self, value: Any) -> float | int:
        """Return ``value`` as a number of this kind, or raise :class:`InvalidInput` with what was found."""
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        require(number, f"parameter {self.name} must be a finite number, found {value!r}")
        require(
            self.minimum <= value <= self.maximum,
            f"parameter {self.name} must lie in [{self.minimum:g}, {self.maximum:g}], found {value!r}",
        )
        if self.kind == "float":
            return float(value)
        require(float(value).is_integer(), f"parameter {self.name} must be a whole number, found {value!r}")
        return int(value)


def complete(declared: Iterable[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every declared parameter's value: the given one, checked, else its default.

    Raises
    ------
    InvalidInput
        For a value out of range, and for a name that is not declared.
    """
    known = {parameter.name: parameter for parameter in declared}
    for name in given:
        if name not in known:
            raise InvalidInput(f"unknown parameter {name!r}, known: {', '.join(known) or 'none'}")
    return {name: parameter.check(given.get(name, parameter.default)) for name, parameter in known.items()}
