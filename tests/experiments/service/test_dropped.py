"""Variants that lost their share: what is served of them, and what is logged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments.definition import parse
from experiments.errors import Invalid
from experiments.keeper import learner
from experiments.model import Experiment, State
from experiments.published import PublishedExperiment
from experiments.secret import Secret
from experiments.service.served import Served, serve

SECRET = Secret(b"a secret of more than thirty-two characters")


def served(*beaten: str, **fields: Any) -> Served:
    """An experiment of four variants, as a worker holds it; one of them is switched off."""
    variants = [{"key": key, "enabled": key != "d"} for key in "abcd"]
    body = {"key": "spring", "variants": variants, "metrics": [{"key": "m"}], "goal": "prove"} | fields
    experiment = Experiment(1, parse(body), slots=(0, 1, 2, 3), version=3, phase=2, state=State.RUNNING, beaten=beaten)
    return serve(PublishedExperiment(experiment, learner.cold(experiment), 17), None, secret=SECRET)


def test_the_logged_vector_is_the_served_one() -> None:
    """Nothing for the beaten and the switched-off one, and the same numbers in the journal's JSON."""
    odds = served("b").odds({}, None)
    np.testing.assert_array_equal(odds.p, [0.5, 0.0, 0.5, 0.0])
    assert odds.json == b"[0.5,0.0,0.5,0.0]"
    assert not odds.degraded


def test_a_visitor_is_always_answered() -> None:
    """A request that allows nothing but beaten variants gets one of them."""
    odds = served("b", "c").odds({}, ("b", "c"))
    np.testing.assert_array_equal(odds.p, [0.0, 0.5, 0.5, 0.0])
    np.testing.assert_array_equal(served("b").odds({}, ("b",)).p, [0.0, 1.0, 0.0, 0.0])
    with pytest.raises(Invalid, match="none of them is enabled"):
        served("b").odds({}, ("d",))


def test_where_things_may_change_the_beaten_keep_a_little() -> None:
    """A hundredth, wherever they are allowed."""
    odds = served("b", may_change=True).odds({}, None)
    np.testing.assert_allclose(odds.p, [0.495, 0.01, 0.495, 0.0], atol=1e-15)


def test_a_switched_off_contender_leaves_the_others() -> None:
    """Where the only one that is not beaten is switched off, the beaten share among themselves."""
    odds = served("a", "b", "c").odds({}, None)
    np.testing.assert_allclose(odds.p, [1 / 3, 1 / 3, 1 / 3, 0.0], atol=1e-12)
