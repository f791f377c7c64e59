from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bandit.chance.quadrature import prob_best_normal
from experiments.statistics.belief import belief_binary, beta_difference, floored, top_two
from experiments.statistics.frequentist import z_test
from experiments.statistics.moments import Missing, Moments

Vector = dict[str, Any]


def known(found: Any) -> Any:
    """What was found, if it is not a sentence that says what is missing."""
    assert not isinstance(found, Missing), found
    return found


def moments(sums: Vector) -> Moments:
    """A proportion where only a sum is given, else a mean."""
    if "sum_squares" not in sums:
        return Moments.binary(rows=sums["n"], conversions=sums["sum"])
    return Moments.of_sums(sums["n"], sums["sum"], sums["sum_squares"])


def bandit(vector: Vector) -> Vector:
    """Chances to be best, and the weights that follow from them."""
    inputs = vector["inputs"]
    arms = [known(moments(arm).estimate()) for arm in inputs["arms"]]
    mean, sd = [arm.value for arm in arms], [arm.standard_error for arm in arms]
    best = prob_best_normal(np.array(mean), np.array(sd))[0]
    intervals = [z_test(arm) for arm in arms]
    return {
        "weights": floored(top_two(mean, sd) if inputs["top_two"] else best, inputs["floor"]).tolist(),
        "best_arm_probabilities": best.tolist(),
        "ci": [[interval.low, interval.high] for interval in intervals],
    }


def beta_binomial(vector: Vector) -> Vector:
    """The difference of two Beta posteriors."""
    control, treatment = ((row["s"] + 1, row["n"] - row["s"] + 1) for row in vector["inputs"]["table"][:2])
    found = beta_difference(control, treatment, levels=(0.025, 0.5, 0.975))
    return {
        "level_1": "control",
        "level_2": "t1",
        "absolute_difference": 1.0,
        "difference": found.quantiles[1],
        "ci_lower": found.quantiles[0],
        "ci_upper": found.quantiles[2],
        "P(level_2 > level_1)": found.chance,
        "level_1 potential loss": -found.gain,
        "level_1 potential gain": found.harm,
        "level_2 potential loss": -found.harm,
        "level_2 potential gain": found.gain,
    }


def normal_chances(inputs: Vector) -> list[float]:
    """Chances to be best of normal posteriors."""
    return prob_best_normal(np.array(inputs["mean"]), np.array(inputs["sd"]))[0].tolist()


def beta_beliefs(pairs: list[list[int]]) -> list[Moments]:
    """Moments whose posteriors under a uniform prior have these parameters."""
    return [Moments.binary(rows=a + b - 2, conversions=a - 1) for a, b in pairs]


REPRODUCED: dict[str, Callable[[Vector], Any]] = {
    "repo_bandit": bandit,
    "betabinomial": beta_binomial,
    "beta_prob_best": lambda v: list(belief_binary(beta_beliefs(v["inputs"]["posterior_ab"])).best),
    "beta_expected_loss": lambda v: list(belief_binary(beta_beliefs(v["inputs"]["posterior_ab"])).loss),
    "beta_p_b_gt_a": lambda v: beta_difference(tuple(v["inputs"]["A"]), tuple(v["inputs"]["B"])).chance,
    "normal_prob_best": lambda v: normal_chances(v["inputs"]),
}


def test_reproduces_another_package(
    vector: Vector, reproduce: Callable[[Vector], Any], agree: Callable[[Any, Vector], None]
) -> None:
    """Every number of the vector is found by public functions from the same plain inputs."""
    agree(reproduce(vector), vector)
