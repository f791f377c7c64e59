"""A short run of random rows at every policy; the long one is ``python -m tests.fuzz_policies``."""

from __future__ import annotations

import pytest

from bandit import registry
from tests.fuzz_policies import learn


@pytest.mark.parametrize("name", registry.names())
def test_random_rows_leave_nothing_broken(name):
    """Good rows are learned, bad ones counted, arms come and go, and every number stays finite."""
    found = learn(name, 500, seed=1)
    assert found.total() == 500
    assert found["learned"] > 100
    assert found["reward not finite, or too large"] > 0
