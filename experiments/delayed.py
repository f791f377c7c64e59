"""Which experiments learn from rows whose reward windows are open: those whose windows are long and state is sums."""

from __future__ import annotations

from bandit.delays import LearnsOpenRows
from bandit.registry import policy_class
from experiments.model import Definition

LONG_SECONDS = 600
"""Windows from here on are worth it: rows of shorter ones mature before much could be learned of them."""
FIXED = "fixed"
"""The policy whose state is sums because it has none."""


def learns_open_rows(definition: Definition) -> bool:
    """Say whether its policy serves what open rows teach, too.

    >>> from experiments.definition import parse
    >>> body = {"key": "k", "variants": [{"key": "a"}], "metrics": [{"key": "m", "window_seconds": 86400}]}
    >>> [learns_open_rows(parse(body | {"policy": {"name": name}})) for name in ("thompson", "fixed", "vw_bag")]
    [True, False, False]
    """
    name = definition.policy.name
    return is_long(definition) and name != FIXED and issubclass(policy_class(name), LearnsOpenRows)


def is_long(definition: Definition) -> bool:
    """Say whether its rows stay open for long: until the longest of their windows has closed."""
    return definition.window >= LONG_SECONDS * 1_000_000
