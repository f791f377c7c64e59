"""Rewards that have a least and a largest value: what some families need to be told, and then check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandit.parameters import Parameter
from bandit.types import Floats
from bandit.validation import InvalidInput

RANGE = (
    Parameter("low", 0.0, -1e12, 1e12, "reward", "the smallest reward that there can be"),
    Parameter("high", 1.0, -1e12, 1e12, "reward", "the largest reward that there can be"),
)


def span(params: Mapping[str, Any]) -> float:
    """Return ``high`` - ``low``.

    Raises
    ------
    InvalidInput
        Unless it is positive.

    >>> span({"low": -1.0, "high": 3.0})
    4.0
    """
    low, high = float(params["low"]), float(params["high"])
    if low >= high:
        raise InvalidInput(f"high must exceed low, found low {low:g} and high {high:g}")
    return high - low


def require_range(rewards: Floats, params: Mapping[str, Any], policy: str) -> None:
    """Refuse rewards outside [``low``, ``high``]."""
    low, high = params["low"], params["high"]
    if rewards.min() < low or rewards.max() > high:
        found = f"{rewards.min():g}..{rewards.max():g}"
        raise InvalidInput(f"rewards of {policy} must lie in [{low:g}, {high:g}], found {found}; set low and high")
