"""Results of other packages on fixed inputs, and how what is found is held against them.

Each test module has a table ``REPRODUCED`` from the beginnings of vectors' names to functions that work them out again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Vector = dict[str, Any]
VECTORS: list[Vector] = json.loads((Path(__file__).parent / "stats_vectors.json").read_text())["vectors"]
INPUTS = {vector["name"]: vector["inputs"] for vector in VECTORS}
for _vector in VECTORS:  # some take their inputs from another
    _vector["inputs"] = INPUTS.get(_vector["inputs"].get("same_as"), _vector["inputs"])
COUNTS = {"test_effects": 58, "test_comparisons": 23, "test_planning": 13, "test_beliefs": 11, "test_boundaries": 21}
"""How many vectors each module reproduces: none is left out, and none is lost when names change."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for ``vector`` each one that its module has a function for, with that function."""
    if "vector" not in metafunc.fixturenames:
        return
    table: dict[str, Callable[[Vector], Any]] = metafunc.module.REPRODUCED
    found = [(v, function) for v in VECTORS if (function := _function(v, table)) is not None]
    home = metafunc.module.__name__.rpartition(".")[2]
    assert len(found) == COUNTS[home], f"{home} reproduces {len(found)} vectors"
    metafunc.parametrize(("vector", "reproduce"), found, ids=[v["name"] for v, _ in found])


def _function(vector: Vector, table: dict[str, Callable[[Vector], Any]]) -> Callable[[Vector], Any] | None:
    """The function of the longest beginning of the vector's name."""
    fitting = [prefix for prefix in table if vector["name"].startswith(prefix)]
    return table[max(fitting, key=len)] if fitting else None


@pytest.fixture
def agree() -> Callable[[Any, Vector], None]:
    """Hold what was found against a vector, within the tolerance that it states."""

    def agree(found: Any, vector: Vector) -> None:
        _assert_equal(found, vector["expected"], rel=vector["rtol"], absolute=vector.get("atol", 0.0))

    return agree


@pytest.fixture
def counts() -> tuple[dict[str, int], list[Vector]]:
    """How many vectors each module reproduces, and all vectors."""
    return COUNTS, VECTORS


def _assert_equal(found: Any, expected: Any, *, rel: float, absolute: float) -> None:
    """Numbers within either tolerance; anything else is the same."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            _assert_equal(found[key], value, rel=rel, absolute=absolute)
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            _assert_equal(one, other, rel=rel, absolute=absolute)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=rel, abs=absolute)
    else:
        assert found == expected
