from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from experiments.statistics import compatible, covariates, sequential, strata
from experiments.statistics.belief import Prior, effect_belief
from experiments.statistics.effect import Effect, effect_of
from experiments.statistics.frequentist import FixedTest, Side, welch, welch_lift
from experiments.statistics.moments import Estimate, Missing, Moments
from experiments.statistics.sequential import Tuning

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


def joint(n: int, y: Vector, x: Vector, products: float) -> covariates.JointMoments:
    """The joint sums of two statistics."""
    first, second = moments(y), moments(x)
    return covariates.JointMoments(n, first.total, second.total, first.squares, second.squares, products)


def effect(inputs: Vector, *, unadjusted: bool = True) -> Effect:
    """The effect of the kind that the inputs are sums of."""
    a, b = inputs["a"], inputs["b"]
    if "post" in a:
        arms = [joint(arm["n"], arm["post"], arm["pre"], arm["post_pre_sum_of_products"]) for arm in (a, b)]
        found: Effect = known(covariates.cuped_effect(*arms, unadjusted=unadjusted))
        return found
    if "m" in a:
        arms = [joint(arm["n"], arm["m"], arm["d"], arm["m_d_sum_of_products"]) for arm in (a, b)]
        return effect_of(*(known(covariates.metric_ratio(arm)) for arm in arms))
    return effect_of(*(known(moments(arm).estimate()) for arm in (a, b)))


def estimate(inputs: Vector, source: str) -> Estimate:
    """The absolute or relative effect."""
    found = effect(inputs, unadjusted="PyPI" not in source or "NOT what PyPI" in source)
    return found.difference if inputs["difference_type"] == "absolute" else known(found.relative())


def t_test(vector: Vector, side: Side) -> Vector:
    """The fixed-horizon test."""
    inputs = vector["inputs"]
    test = welch if inputs["difference_type"] == "absolute" else welch_lift
    found: FixedTest = known(test(effect(inputs), alpha=inputs["alpha"], side=side))
    return {
        "expected": found.estimate,
        "ci": [found.low, found.high],
        "se": found.standard_error,
        "p_value": found.p_value,
    }


def sequence(vector: Vector) -> Vector:
    """The two-sided sequence."""
    inputs = vector["inputs"]
    found, tuning = estimate(inputs, vector["source"]), Tuning(inputs["alpha"], inputs["sequential_tuning_parameter"])
    limits = sequential.interval(found, tuning)
    return {
        "expected": found.value,
        "ci": [limits.low, limits.high],
        "se": found.standard_error,
        "p_value": sequential.p_value(found, tuning),
    }


def one_sided_sequence(vector: Vector) -> Vector:
    """The one-sided sequence; its p-value by a bisection that stops early, near the exact one."""
    inputs = vector["inputs"]
    found, tuning = estimate(inputs, vector["source"]), Tuning(inputs["alpha"], inputs["sequential_tuning_parameter"])
    exact = sequential.p_greater(found, tuning)
    assert exact == pytest.approx(vector["expected"]["p_value"], rel=2e-3)
    return {
        "expected": found.value,
        "ci": [sequential.lower_limit(found, tuning), None],
        "se": found.standard_error,
        "p_value": compatible.bisected_p_greater(found, tuning),
    }


def posterior(vector: Vector) -> Vector:
    """The normal posterior of the effect."""
    inputs = vector["inputs"]
    prior = None
    if inputs["prior"] is not None:
        prior = Prior(inputs["prior"]["mean"], inputs["prior"]["variance"])
        if inputs["difference_type"] == "absolute":
            prior = prior.of_share(effect(inputs).baseline)
    found = effect_belief(estimate(inputs, vector["source"]), prior, alpha=inputs["alpha"])
    return {
        "expected": found.mean,
        "ci": [found.low, found.high],
        "se": found.sd,
        "chance_to_win": found.chance_to_win,
        "risk": [found.keep_loss, found.ship_loss],
    }


def post_stratified(vector: Vector) -> Vector:
    """The effect weighted by strata."""
    cells = [(moments(control), moments(treatment)) for control, treatment in vector["inputs"]["strata"]]
    found = known(strata.stratified_effect(cells))
    relative = vector["inputs"]["difference_type"] == "relative"
    shown = known(found.relative()) if relative else found.difference
    return {"point_estimate": shown.value, "standard_error": shown.standard_error, "n": shown.rows}


REPRODUCED: dict[str, Callable[[Vector], Any]] = {
    "welch_proportion": lambda v: t_test(v, Side.TWO_SIDED),
    "welch_mean": lambda v: t_test(v, Side.TWO_SIDED),
    "welch_ratio": lambda v: t_test(v, Side.TWO_SIDED),
    "welch_cuped": lambda v: t_test(v, Side.TWO_SIDED),
    "repo_welch": lambda v: t_test(v, Side.TWO_SIDED),
    "repo_one_sided_lesser": lambda v: t_test(v, Side.LESS),
    "repo_one_sided_greater": lambda v: t_test(v, Side.GREATER),
    "sequential_": sequence,
    "repo_seq_two_sided": sequence,
    "repo_seq_one_sided_greater": one_sided_sequence,
    "bayes_effect": posterior,
    "repo_bayes": posterior,
    "repo_poststrat": post_stratified,
}


def test_reproduces_another_package(
    vector: Vector, reproduce: Callable[[Vector], Any], agree: Callable[[Any, Vector], None]
) -> None:
    """Every number of the vector is found by public functions from the same plain inputs."""
    agree(reproduce(vector), vector)
