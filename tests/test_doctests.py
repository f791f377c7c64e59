"""The examples in the docstrings are run as they stand."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("bandit", "experiments", "dashboard")
    for path in sorted((ROOT / package).rglob("*.py"))
    if re.search(r"^\s*>>> ", path.read_text(), flags=re.MULTILINE)
]


def test_the_search_finds_examples() -> None:
    """A test over an empty list of modules would pass for ever."""
    assert len(MODULES) > 20


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name: str) -> None:
    """Each gives what the docstring says."""
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
