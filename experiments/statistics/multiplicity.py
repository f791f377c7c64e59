r"""Several questions at once: p-values adjusted for it, e-values, and how an error rate is shared.

With m hypotheses, ordered p-values :math:`p_{(1)} \le \dots \le p_{(m)}` and a hypothesis rejected where its adjusted
p-value is at most α:

============== ================================================================== ============================
correction     adjusted p-value (with running maxima or minima so that order holds)  controls, assuming
============== ================================================================== ============================
bonferroni     m p                                                                family-wise, anything
sidak          1 − (1 − p)^m                                                      family-wise, independence
holm           max_{i<=k} (m − i + 1) p_(i)                                       family-wise, anything
holm-sidak     max_{i<=k} 1 − (1 − p_(i))^(m − i + 1)                             family-wise, independence
simes-hochberg min_{i>=k} (m − i + 1) p_(i)                                       family-wise, positive dependence
hommel         Hommel's closed test of Simes (Wright's algorithm)                 family-wise, positive dependence
fdr_bh         min_{i>=k} m p_(i) / i                                             false discoveries, pos. dependence
fdr_by         the same times Σ 1/i                                               false discoveries, anything
============== ================================================================== ============================

'Family-wise' is the probability of any false rejection, 'false discoveries' the expected share of false ones among the
rejected. p-values that are valid at every look may be put into ``holm`` at every look. For e-values there is
:func:`e_bh`, which holds under any dependence and at any time: secondary metrics and segments go through it.

It misleads to count only the questions that were interesting afterwards: m is what could have been asked.

References
----------
Holm 1979; Hochberg 1988; Hommel 1988; Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001, theorem 1.3.
Wright 1992, Biometrics 48, 1005-1013: adjusted p-values, among them Hommel's.
Wang and Ramdas 2022, JRSS-B 84(3), arXiv:2009.02824, §4: the e-BH procedure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np

from bandit.types import Bools, Floats
from bandit.validation import require


class Correction(StrEnum):
    """Ways of adjusting p-values, by their usual names."""

    NONE = "none"
    BONFERRONI = "bonferroni"
    SIDAK = "sidak"
    HOLM = "holm"
    HOLM_SIDAK = "holm-sidak"
    SIMES_HOCHBERG = "simes-hochberg"
    HOMMEL = "hommel"
    BENJAMINI_HOCHBERG = "fdr_bh"
    BENJAMINI_YEKUTIELI = "fdr_by"


def adjusted(p_values: Sequence[float], correction: Correction) -> Floats:
    """Return (m,) adjusted p-values, in the order of the given ones.

    >>> adjusted([0.01, 0.04, 0.03], Correction.HOLM).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    require(p.ndim == 1, f"p_values must be one list, found {p.ndim} dimensions")
    require(bool(np.all((p >= 0) & (p <= 1))), f"p_values must be between 0 and 1, found {p.tolist()}")
    order = np.argsort(p, kind="stable")
    result = np.empty(len(p))
    result[order] = np.minimum(_ADJUST[correction](p[order]), 1.0) if len(p) else p
    return result


def holm(p_values: Sequence[float]) -> Floats:
    """Return (m,) p-values adjusted by Holm: for variants × objective, and valid at every look for p-values that are.

    >>> holm([0.01, 0.02]).tolist()
    [0.02, 0.02]
    """
    return adjusted(p_values, Correction.HOLM)


def benjamini_hochberg(p_values: Sequence[float]) -> Floats:
    """Return (m,) p-values adjusted by Benjamini and Hochberg: for exploring, at one look.

    >>> benjamini_hochberg([0.01, 0.02]).tolist()
    [0.02, 0.02]
    """
    return adjusted(p_values, Correction.BENJAMINI_HOCHBERG)


def e_bh(log_e_values: Sequence[float], alpha: float) -> Bools:
    """Return (m,) which hypotheses are rejected: the k largest e-values, k the largest with e_(k) >= m/(α k).

    Takes natural logarithms, so that overwhelming evidence does not overflow.

    >>> e_bh([math.log(50), math.log(29), math.log(1)], 0.05).tolist()
    [False, False, False]
    >>> e_bh([math.log(50), math.log(31), math.log(25)], 0.05).tolist()
    [True, True, True]
    """
    require(0 < alpha < 1, f"alpha must be between 0 and 1, found {alpha}")
    logs = np.asarray(log_e_values, dtype=np.float64)
    order = np.argsort(-logs, kind="stable")
    enough = logs[order] >= e_bh_bars(len(logs), alpha)
    rejected = np.zeros(len(logs), dtype=bool)
    rejected[order[: int(np.flatnonzero(enough)[-1]) + 1 if enough.any() else 0]] = True
    return rejected


def e_bh_bars(count: int, alpha: float) -> Floats:
    """Return (m,) ln(m/(α k)): what the k-th largest log e-value must reach.

    >>> e_bh_bars(2, 0.05).round(4).tolist()
    [3.6889, 2.9957]
    """
    return np.asarray(np.log(count / (alpha * np.arange(1, count + 1))))


def shared_alpha(alpha: float, questions: int) -> float:
    """α/m, the level of each of m intervals that together may ever miss with probability α (Bonferroni).

    >>> shared_alpha(0.05, 5)
    0.01
    """
    require(questions >= 0, f"questions must not be negative, found {questions}")
    return alpha / max(questions, 1)


def _bonferroni(p: Floats) -> Floats:
    return len(p) * p


def _sidak(p: Floats) -> Floats:
    return -np.expm1(len(p) * _log_survival(p))


def _holm(p: Floats) -> Floats:
    return np.maximum.accumulate(np.arange(len(p), 0, -1) * p)


def _holm_sidak(p: Floats) -> Floats:
    return np.maximum.accumulate(-np.expm1(np.arange(len(p), 0, -1) * _log_survival(p)))


def _simes_hochberg(p: Floats) -> Floats:
    return _running_minimum(np.arange(len(p), 0, -1) * p)


def _hommel(p: Floats) -> Floats:
    result = p.copy()
    for size in range(len(p), 1, -1):
        simes = float((size * p[-size:] / np.arange(1, size + 1)).min())
        result[-size:] = np.maximum(result[-size:], simes)
        result[:-size] = np.maximum(result[:-size], np.minimum(size * p[:-size], simes))
    return result


def _benjamini_hochberg(p: Floats) -> Floats:
    return _running_minimum(p * len(p) / np.arange(1, len(p) + 1))


def _benjamini_yekutieli(p: Floats) -> Floats:
    return _benjamini_hochberg(p) * math.fsum(1 / rank for rank in range(1, len(p) + 1))


def _running_minimum(values: Floats) -> Floats:
    """Of each value and those behind it."""
    return np.minimum.accumulate(values[::-1])[::-1]


def _log_survival(p: Floats) -> Floats:
    """ln(1 − p): −∞ at p = 1, as it is."""
    with np.errstate(divide="ignore"):
        return np.log1p(-p)


_ADJUST: dict[Correction, Callable[[Floats], Floats]] = {
    Correction.NONE: np.copy,
    Correction.BONFERRONI: _bonferroni,
    Correction.SIDAK: _sidak,
    Correction.HOLM: _holm,
    Correction.HOLM_SIDAK: _holm_sidak,
    Correction.SIMES_HOCHBERG: _simes_hochberg,
    Correction.HOMMEL: _hommel,
    Correction.BENJAMINI_HOCHBERG: _benjamini_hochberg,
    Correction.BENJAMINI_YEKUTIELI: _benjamini_yekutieli,
}
