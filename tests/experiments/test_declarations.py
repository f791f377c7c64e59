"""Attributes of a log from elsewhere become ones that an experiment may declare."""

from __future__ import annotations

from bandit.features import Attribute, AttributeType
from experiments.declarations import MAX_COLUMNS, declarable
from experiments.definition import parse
from experiments.model import MAX_ATTRIBUTES


def _names(*names: str) -> list[str]:
    return [made.name for made in declarable([Attribute(name, AttributeType.BOOLEAN) for name in names]).values()]


def test_names_become_distinct_keys() -> None:
    """Every name has a key of its own, whatever it was."""
    assert _names("User Age", "user-age", "USER-AGE", "_multi", "\u00fc", "", "x" * 80) == [
        *("user-age", "user-age-2", "user-age-3", "multi", "attribute", "attribute-2", "x" * 58),
    ]


def test_no_more_is_declared_than_may_be() -> None:
    """What is too much is left out from the end, so that the rest is a definition."""
    assert len(_names(*[f"a{i}" for i in range(300)])) == MAX_ATTRIBUTES
    values = tuple(str(i) for i in range(100))
    wide = [Attribute(f"a{i}", AttributeType.CATEGORY, values=values) for i in range(9)]
    made = [attribute.to_json() for attribute in declarable(wide).values()]
    assert len(made) == MAX_COLUMNS // 102
    body = {"key": "spring", "variants": [{"key": "a"}], "metrics": [{"key": "sale"}], "context": made}
    assert len(parse(body).context) == len(made)
