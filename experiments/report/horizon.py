"""How far it is to a proof, if everything stays as it is: 'about N days left', and what 5% shared by many costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from experiments.analysis import Analysis, ContrastFinding, Engine, MetricFindings
from experiments.model import Role, State
from experiments.report.course import WHOLE_WEEKS
from experiments.report.facts import Facts
from experiments.report.values import Multiplicity
from experiments.statistics import sequential
from experiments.statistics.adaptive.inference import contrasts
from experiments.statistics.planning.proof import rows_to_proof
from experiments.statistics.sequential import ALPHA, Tuning

LONGEST = 3650.0
"""Days beyond which no number is given: ten years."""


def days_left(facts: Facts) -> float | None:
    """Return about how many days are left until a variant is proved best; at most ten years.

    Every difference of the leading variant from another enabled one has to be proved, and two whole weeks to be over.
    None where nobody is asked, and where there is too little to tell.
    """
    found = facts.survey.of(facts.experiment.objective.key)
    if facts.analysis is None or facts.experiment.state is not State.RUNNING:
        return None
    pairs = _leading(facts, found)
    if not pairs:
        return None
    fixed = found.engine is Engine.FIXED
    needed = _fixed(facts, pairs) if fixed else _adaptive(facts, facts.analysis, pairs)
    if needed is None:
        return None
    days = [facts.days_of((pair.variant, pair.other)) for pair in pairs]
    if min(days) <= 0:
        return None
    left = [max(rows / pair.rows - 1, 0.0) * ran for pair, rows, ran in zip(pairs, needed, days, strict=True)]
    return min(max(*left, WHOLE_WEEKS - min(days), 0.0), LONGEST)


def multiplicity(facts: Facts) -> Multiplicity | None:
    """Return how the 5% is shared; None where nothing is compared."""
    found = facts.survey.of(facts.experiment.objective.key)
    if not found.contrasts:
        return None
    secondary = [m for m in facts.experiment.definition.metrics if m.role is Role.SECONDARY]
    segments = facts.survey.segments
    texts = [_shared(facts, found, f"by {found.metric}", "Holm")]
    if secondary:
        texts.append(_shared(facts, facts.survey.of(secondary[0].key), "by secondary metrics", "e-BH"))
    if segments:
        texts.append(_shared(facts, facts.survey.of(found.metric, segments[0]), "within segments", "e-BH"))
    return Multiplicity(
        contrasts=found.family,
        alpha=found.alpha,
        wider=_wider(facts, found.alpha),
        family=sum(len(facts.survey.of(m.key).contrasts) for m in secondary)
        + sum(len(facts.survey.of(found.metric, segment).contrasts) for segment in segments),
        text=" ".join(texts),
    )


def _leading(facts: Facts, found: MetricFindings) -> list[ContrastFinding]:
    """Return the pairs of the variant that leads, with every other enabled one."""
    enabled = {variant.key for variant in facts.experiment.definition.variants if variant.enabled}
    sign = 1.0 if facts.experiment.objective.better_up else -1.0
    means = {mean.variant: mean.estimate for mean in found.variants if mean.variant in enabled}
    known = {key: sign * estimate for key, estimate in means.items() if estimate is not None}
    if not known:
        return []
    leader = max(known, key=lambda key: known[key])
    pairs = [(pair, {pair.variant, pair.other}) for pair in found.pairs]
    return [pair for pair, both in pairs if leader in both and both <= enabled]


def _fixed(facts: Facts, pairs: Sequence[ContrastFinding]) -> list[float] | None:
    """Return the rows of both variants at which each pair's sequence will leave zero out, by what it is wide now."""
    n_star = facts.experiment.definition.n_star
    widths = [sequential.multiplier(max(pair.rows, 1), Tuning(pair.alpha, n_star)) for pair in pairs]
    halves = [math.nan if pair.low is None or pair.high is None else (pair.high - pair.low) / 2 for pair in pairs]
    rates = [(half / width) ** 2 * pair.rows for half, width, pair in zip(halves, widths, pairs, strict=True)]
    return _needed(facts, pairs, rates)


def _adaptive(facts: Facts, analysis: Analysis, pairs: Sequence[ContrastFinding]) -> list[float] | None:
    """Return the same of moving traffic, by the bound of the variance."""
    ledger = analysis.ledger(facts.experiment.objective.key)
    if ledger is None:
        return None
    limits = contrasts(ledger.sums, alpha=pairs[0].alpha, n_star=facts.experiment.definition.n_star)
    places = {key: place for place, key in enumerate(analysis.variants)}
    spreads = [float(limits.variance[places[pair.variant], places[pair.other]]) for pair in pairs]
    rates = [spread / max(pair.rows, 1) for spread, pair in zip(spreads, pairs, strict=True)]
    return _needed(facts, pairs, rates, unit=4 * float(ledger.sums.size[0]) * float(ledger.sums.scale[0, 0]))


def _needed(
    facts: Facts, pairs: Sequence[ContrastFinding], rates: Sequence[float], *, unit: float | None = None
) -> list[float] | None:
    """Return the rows that each pair needs at a variance of so much a row; None where one of them is not shown."""
    n_star, needed = facts.experiment.definition.n_star, []
    for pair, rate in zip(pairs, rates, strict=True):
        if pair.difference is None or pair.rows == 0 or not (math.isfinite(rate) and rate > 0):
            return None
        share = {"variances": [rate, 0.0], "inverse": [1.0, 1.0]}
        needed.append(rows_to_proof(pair.difference, **share, alpha=pair.alpha, n_star=n_star, unit=unit))
    return needed


def _shared(facts: Facts, found: MetricFindings, what: str, how: str) -> str:
    if found.family == 1:
        return f"One comparison {what} has the whole 5%."
    wider = _wider(facts, found.alpha) - 1
    return f"{found.family} comparisons {what} share 5% ({how}): each interval is {wider:.0%} wider than one alone."


def _wider(facts: Facts, alpha: float) -> float:
    """Return how much wider limits at that level are than at 5%, at the planned number of rows."""
    n_star = facts.experiment.definition.n_star
    shared, alone = (sequential.multiplier(n_star, Tuning(level, n_star)) for level in (alpha, ALPHA))
    return shared / alone
