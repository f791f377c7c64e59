r"""Numbers as other tools report them, where those differ from what is right here: for comparison, and nothing else.

==================================== ==============================================================================
what                                 how it differs
==================================== ==============================================================================
:func:`bisected_p_greater`           GrowthBook stops a bisection at a limit within 10⁻⁶ of the null
:func:`shares_of_control`            spotify-confidence divides by the control's mean as if it were certain
``cuped_effect(unadjusted=False)``   gbstats 0.8.0 (PyPI) puts the adjusted variance below the line
``DifferenceMethod.SCORE``           statsmodels 0.15 has a count for a number of rows in its likeliest proportions
``weighted_limits(clipped=False)``   vw-estimators does not clip its plug-in, so the bound may fail
==================================== ==============================================================================
"""

from __future__ import annotations

import math
from dataclasses import replace

from bandit.validation import require
from experiments.statistics.frequentist.means import FixedTest
from experiments.statistics.moments import Estimate
from experiments.statistics.sequential import Tuning

LEAST, GREATEST = 1e-5, 0.4999


def bisected_p_greater(estimate: Estimate, tuning: Tuning, *, tolerance: float = 1e-6) -> float:
    """Return :func:`~experiments.statistics.sequential.p_greater` by a bisection that stops early.

    Between ``LEAST`` and ``GREATEST``, until the lower limit at a level, at the ρ of the tuning, is within
    ``tolerance`` of zero; the next midpoint is what is returned. For 'less', give the estimate with its sign turned.

    >>> bisected_p_greater(Estimate(0.009999999999999995, 0.0043235482311327**2, 20_100), Tuning(0.05, 5_000))
    0.21212152832031247
    """
    low, high = LEAST, GREATEST
    if _limit(estimate, tuning, low) > 0:
        return low
    if _limit(estimate, tuning, high) < 0:
        return high
    while True:
        level = (low + high) / 2
        limit = _limit(estimate, tuning, level)
        low, high = (level, high) if limit < 0 else (low, level)
        if abs(limit) < tolerance or high - low < 1e-15:
            return (low + high) / 2


def shares_of_control(test: FixedTest, baseline: float) -> FixedTest:
    """The estimate, error and limits of a test of a difference, divided by the control's mean without its variance."""
    require(baseline > 0, f"baseline must be positive, found {baseline}")
    return replace(
        test,
        estimate=test.estimate / baseline,
        standard_error=test.standard_error / baseline,
        low=None if test.low is None else test.low / baseline,
        high=None if test.high is None else test.high / baseline,
    )


def _limit(estimate: Estimate, tuning: Tuning, level: float) -> float:
    """The one-sided lower limit at another level with the same ρ."""
    scaled = estimate.rows / tuning.one_sided_eta
    width = math.sqrt(2 * (scaled + 1) / scaled * math.log1p(math.sqrt(scaled + 1) / (2 * level)))
    return estimate.value - width * estimate.standard_error
