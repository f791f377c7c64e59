from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from experiments.statistics import ratio
from experiments.statistics.planning import fixed

Vector = dict[str, Any]


def planned_proportion(inputs: Vector) -> Vector:
    """Rows for a difference of proportions."""
    p = inputs["baseline"]
    variances = fixed.proportion_variances(p)
    total = fixed.sample_size(inputs["mde_abs"], variances, alpha=inputs["alpha"], power=inputs["power"])
    return {"total": math.ceil(total), "per_group": list(fixed.whole_rows(math.ceil(total)))}


def planned_mean(inputs: Vector) -> Vector:
    """Rows for a difference of means."""
    variances = [inputs["variance"]] * 2
    total = fixed.sample_size(inputs["mde_abs"], variances, alpha=inputs["alpha"], power=inputs["power"])
    return {"total": math.ceil(total)}


def two_proportions(inputs: Vector) -> tuple[float, dict[str, Any]]:
    """The difference, and the variances with and without it."""
    diff, p = inputs["diff"], inputs["prop2"]
    pooled = fixed.pooled_variance(p, diff)
    return diff, {"variances": fixed.proportion_variances(p, diff), "null_variances": [pooled, pooled]}


def planned_one_tail(inputs: Vector) -> float:
    """Rows of a variant where the far tail is left out."""
    diff, variances = two_proportions(inputs)
    return fixed.sample_size(diff, power=inputs["power"], alpha=0.05, **variances) / 2


def planned_power(inputs: Vector) -> float:
    """Power with so many rows of a variant."""
    diff, variances = two_proportions(inputs)
    return fixed.power(diff, rows=2 * inputs["nobs1"], alpha=0.05, **variances)


def split(vector: Vector) -> Vector:
    """The sample ratio test that holds at every look."""
    inputs = vector["inputs"]
    found = ratio.log_bayes_factor(inputs["n"], inputs["weights"], inputs["conc"])
    return {"log_bayes_factor": found, "p_value": ratio.p_value(inputs["n"], inputs["weights"], inputs["conc"])}


REPRODUCED: dict[str, Callable[[Vector], Any]] = {
    "samplesize_binomial": lambda v: planned_proportion(v["inputs"]),
    "samplesize_continuous": lambda v: planned_mean(v["inputs"]),
    "samplesize_2prop": lambda v: planned_one_tail(v["inputs"]),
    "power_2prop": lambda v: planned_power(v["inputs"]),
    "normal_power_n": lambda v: fixed.sample_size(v["inputs"]["effect_size"], [1.0, 1.0], far_tail=True) / 2,
    "srm_chi2": lambda v: {"p_value": ratio.chi_square(v["inputs"]["users"], v["inputs"]["weights"])[1]},
    "srm_always_valid": split,
}


def test_reproduces_another_package(
    vector: Vector, reproduce: Callable[[Vector], Any], agree: Callable[[Any, Vector], None]
) -> None:
    """Every number of the vector is found by public functions from the same plain inputs."""
    agree(reproduce(vector), vector)
