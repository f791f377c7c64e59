"""Several comparisons that share 5%: Holm where every single one must hold, e-BH where few of the found may be false.

A family is all that could have been asked, also of variants and metrics that were removed since: each of those that are
not there counts as a comparison that shows nothing (p = 1, e = 1), so that no family shrinks after looking.

References
----------
Holm 1979, Scandinavian Journal of Statistics 6(2). Wang and Ramdas 2022, JRSS-B 84(3), arXiv:2009.02824, §4: e-BH.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bandit.types import Floats
from experiments.analysis.values import ContrastFinding, MetricFindings
from experiments.statistics.multiplicity import e_bh, holm
from experiments.statistics.sequential import ALPHA


def held(contrasts: Sequence[ContrastFinding], *, family: int) -> tuple[ContrastFinding, ...]:
    """Adjust a family of so many by Holm, at every look: the p-values are valid at all of them."""
    if not contrasts:
        return ()
    removed = [1.0] * max(family - len(contrasts), 0)
    adjusted = holm([1.0 if found.p_value is None else found.p_value for found in contrasts] + removed)
    return tuple(_adjusted(found, p) for found, p in zip(contrasts, adjusted.tolist(), strict=False))


def discovered(findings: Sequence[MetricFindings]) -> list[MetricFindings]:
    """Adjust all contrasts of several findings, which say how large their family is, by e-BH.

    Under any dependence, and at any one time; the union of what was found at several looks is no e-BH any more, so a
    proof asks for limits that leave zero out besides (:mod:`experiments.analysis.proofs`).
    """
    contrasts = [found for one in findings for found in one.contrasts]
    if not contrasts:
        return list(findings)
    removed = [0.0] * max(findings[0].family - len(contrasts), 0)
    logs = np.array([0.0 if found.log_e is None else found.log_e for found in contrasts] + removed)
    adjusted, rejected = e_bh_adjusted(logs), e_bh(logs.tolist(), ALPHA)
    paired = zip(contrasts, adjusted.tolist(), rejected.tolist(), strict=False)
    several: Iterator[ContrastFinding] = (_adjusted(found, p, separated=told) for found, p, told in paired)
    return [replace(one, contrasts=tuple(next(several) for _ in one.contrasts)) for one in findings]


def e_bh_adjusted(log_e: Floats) -> Floats:
    """Return (m,) the least level at which e-BH rejects each: the least m/(j e_(j)) of its rank or a later one.

    >>> e_bh_adjusted(np.log([50.0, 31.0, 1.0])).round(4).tolist()
    [0.0484, 0.0484, 1.0]
    """
    order = np.argsort(-log_e, kind="stable")
    bars = np.log(len(log_e)) - np.log(np.arange(1, len(log_e) + 1))
    levels = np.exp(np.minimum(bars - log_e[order], 0.0))
    result = np.empty(len(log_e))
    result[order] = np.minimum.accumulate(levels[::-1])[::-1]
    return result


def _adjusted(found: ContrastFinding, p: float, *, separated: bool | None = None) -> ContrastFinding:
    if found.p_value is None:
        return found
    return replace(found, adjusted_p=p, separated=p <= ALPHA if separated is None else separated)
