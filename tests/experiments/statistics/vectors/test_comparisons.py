from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from experiments.statistics import compatible, multiplicity
from experiments.statistics.effect import Effect, effect_of
from experiments.statistics.frequentist import FixedTest, proportions, welch, z_test
from experiments.statistics.moments import Missing, Moments
from experiments.statistics.multiplicity import Correction

Vector = dict[str, Any]


def known(found: Any) -> Any:
    """What was found, if it is not a sentence that says what is missing."""
    assert not isinstance(found, Missing), found
    return found


def arms_of(table: list[Vector]) -> list[Moments]:
    """The moments of each row of a table."""
    return [Moments.of_sums(row["n"], row["s"], row["ss"]) for row in table]


def against_control(vector: Vector, test: Callable[[Effect, float], FixedTest], adjust: str) -> list[Vector]:
    """Each treatment's test against the control, with what a correction makes of it."""
    table = vector["inputs"]["table"]
    arms = arms_of(table)
    effects = [effect_of(known(arms[0].estimate()), known(arm.estimate())) for arm in arms[1:]]
    plain = [test(found, 0.05) for found in effects]
    adjusted = multiplicity.adjusted([found.p_value for found in plain], Correction(adjust))
    wide = [test(found, multiplicity.shared_alpha(0.05, len(effects))) for found in effects]
    if adjust != Correction.BONFERRONI:
        wide = [replace(found, low=None, high=None) for found in wide]
    return [
        {
            "difference": one.estimate,
            "ci_lower": one.low,
            "ci_upper": one.high,
            "p-value": one.p_value,
            "adjusted ci_lower": two.low,
            "adjusted ci_upper": two.high,
            "adjusted p-value": p,
            "level_2": row["v"],
        }
        for one, two, p, row in zip(plain, wide, adjusted.tolist(), table[1:], strict=True)
    ]


def z_tests(vector: Vector) -> list[Vector]:
    """z tests, absolute or as shares of the control."""

    def test(found: Effect, alpha: float) -> FixedTest:
        plain = z_test(found.difference, alpha=alpha)
        return plain if vector["inputs"]["absolute"] else compatible.shares_of_control(plain, found.baseline)

    return against_control(vector, test, vector["inputs"]["correction"])


def t_tests(vector: Vector) -> list[Vector]:
    """Welch tests."""
    return against_control(vector, lambda found, alpha: welch(found, alpha=alpha), Correction.BONFERRONI)


def chi_squares(vector: Vector) -> list[Vector]:
    """χ² p-values with the limits of z tests."""
    arms = arms_of(vector["inputs"]["table"])
    by_effect = {}
    for arm in arms[1:]:
        found = effect_of(known(arms[0].estimate()), known(arm.estimate()))
        counts, rows = [arms[0].nonzero, arm.nonzero], [arms[0].rows, arm.rows]
        by_effect[found.value] = proportions.chi_square_equal(counts, rows)[1]

    def test(found: Effect, alpha: float) -> FixedTest:
        return replace(z_test(found.difference, alpha=alpha), p_value=by_effect[found.value])

    return against_control(vector, test, Correction.BONFERRONI)


def multiple_tests(vector: Vector) -> Vector:
    """Adjusted p-values and what they reject."""
    method = vector["name"].removeprefix("multipletests_")
    found = multiplicity.adjusted(vector["inputs"]["p"], Correction(method))
    return {"adjusted": found.tolist(), "reject": (found <= 0.05).tolist()}


def welch_of_values(inputs: Vector) -> Vector:
    """Welch's test from values."""
    x, y = (np.array(inputs[name]) for name in "xy")
    a, b = (known(Moments.of_sums(len(v), float(v.sum()), float(v @ v)).estimate()) for v in (x, y))
    found = welch(effect_of(a, b))
    return {"t": found.statistic, "p": found.p_value, "df": found.freedom}


def one_proportion(vector: Vector) -> list[float]:
    """Limits of one proportion."""
    inputs, method = vector["inputs"], vector["name"].removeprefix("proportion_confint_")
    return list(proportions.proportion_limits(inputs["count"], inputs["nobs"], method=proportions.Method(method)))


def two_counts(inputs: Vector) -> tuple[int, int, int, int]:
    """Two counts with their rows."""
    return inputs["x1"], inputs["n1"], inputs["x2"], inputs["n2"]


def pairs_of(inputs: Vector) -> list[float]:
    """The same from pairs of counts and of rows."""
    (x1, x2), (n1, n2) = inputs["count"], inputs["nobs"]
    return [x1, n1, x2, n2]


REPRODUCED: dict[str, Callable[[Vector], Any]] = {
    "ztest_": z_tests,
    "student_t_diff": t_tests,
    "chi2_diff": chi_squares,
    "multipletests_": multiple_tests,
    "welch_ttest": lambda v: welch_of_values(v["inputs"]),
    "proportions_ztest": lambda v: dict(zip("zp", proportions.pooled_z(*pairs_of(v["inputs"])), strict=True)),
    "proportion_confint_": one_proportion,
    "diff_ci_newcomb": lambda v: list(proportions.difference_limits(*two_counts(v["inputs"]))),
    "diff_ci_score": lambda v: list(
        proportions.difference_limits(*two_counts(v["inputs"]), method=proportions.DifferenceMethod.SCORE)
    ),
    "ratio_ci_log": lambda v: list(
        proportions.ratio_limits(*two_counts(v["inputs"]), method=proportions.RatioMethod.LOG)
    ),
}


def test_reproduces_another_package(
    vector: Vector, reproduce: Callable[[Vector], Any], agree: Callable[[Any, Vector], None]
) -> None:
    """Every number of the vector is found by public functions from the same plain inputs."""
    agree(reproduce(vector), vector)
