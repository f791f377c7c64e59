"""Were variants drawn as they should have been? The checks that look at who got what."""

from __future__ import annotations

import numpy as np

from experiments.analysis.values import Engine
from experiments.model import UnitKind
from experiments.report.facts import Facts
from experiments.report.split import Split
from experiments.report.values import Check, Level
from experiments.statistics import ratio

CROSSED = 0.05
"""Share of units that were served another variant, too, above which variants are told apart less than they differ."""
BIAS_ALPHA = 0.01
"""How often a covariate may ever be called unbalanced where luck alone made it so."""


def check_split(facts: Facts) -> Check | None:
    """Did the split arrive that was asked for? Valid at every look."""
    counts, weights = _drawn(facts)
    if len(weights) < 2 or sum(counts.values()) == 0:
        return None
    p = ratio.p_value([counts.get(key, 0) for key in weights], list(weights.values()))
    if p > ratio.ALARM:
        return Check("split", Level.OK, f"Nothing speaks against the split that was asked for (p = {p:.3g}).")
    return Check(
        "split",
        Level.ALARM,
        f"The split that came is not the split that was asked for (p = {p:.3g}).",
        "Do not read the results: look for visitors or rewards that one variant loses.",
    )


def check_propensities(facts: Facts) -> Check | None:
    """Does the log hold what its propensities promised? Valid at every look, whatever moved them."""
    analysis = facts.analysis
    if analysis is None or analysis.rows == 0 or facts.survey.engine is Engine.FIXED:
        return None
    audit = analysis.audit
    if not audit.alarmed:
        text = f"Nothing speaks against the logged probabilities (p = {audit.p_value:.3g})."
        return Check("propensities", Level.OK, text)
    worst = int(np.argmax(audit.by_variant()))
    name = facts.names.get(analysis.variants[worst], analysis.variants[worst])
    came, promised = int(audit.counts[worst]), round(float(audit.expected[worst]))
    return Check(
        "propensities",
        Level.ALARM,
        f"The log is not what its probabilities promised (p = {audit.p_value:.3g}): '{name}' came {came} times, "
        f"{promised} were promised.",
        "Do not read the results: look for decisions that get lost, or visitors who are kept with a variant.",
    )


def check_crossing(facts: Facts) -> Check | None:
    """Were units served more than one variant?"""
    analysis = facts.analysis
    if analysis is None or analysis.rows == 0 or facts.experiment.definition.unit is not UnitKind.VISITOR:
        return None
    crossed = sum(analysis.crossings.values())
    share = crossed / analysis.rows
    if share <= CROSSED:
        return Check("crossing", Level.OK, f"{crossed} of {analysis.rows} visitors were served another variant, too.")
    by_variant = ", ".join(
        f"'{facts.names.get(key, key)}' {count / analysis.visitors[key]:.1%}"
        for key, count in analysis.crossings.items()
        if analysis.visitors[key] > 0
    )
    return Check(
        "crossing",
        Level.WARNING,
        f"{share:.1%} of visitors were served another variant, too, before their rewards were counted ({by_variant}): "
        "what they did is counted for the first one.",
        "Differences look smaller than they are. See that a visitor keeps the same identity.",
    )


def check_bias(facts: Facts) -> Check | None:
    """Did the variants' visitors differ before they saw anything?"""
    found, name = facts.survey.balance, facts.experiment.definition.covariate
    if found is None or name is None or all(contrast.p_value is None for contrast in found.contrasts):
        return None
    limit = BIAS_ALPHA / found.family
    apart = [
        contrast.variant for contrast in found.contrasts if contrast.p_value is not None and contrast.p_value <= limit
    ]
    if not apart:
        return Check("bias", Level.OK, f"No difference by {name} was found between visitors before they saw anything.")
    names = ", ".join(f"'{facts.names.get(key, key)}'" for key in apart)
    return Check(
        "bias",
        Level.WARNING,
        f"Before they saw anything, visitors of {names} differed from those of the control by {name}.",
        "Look for a variant that loses visitors, or for a covariate that is not known before the page is shown.",
    )


def _drawn(facts: Facts) -> tuple[dict[str, int], dict[str, float]]:
    """Return the rows of each variant, and the shares of the one weight vector in force; none where there were more."""
    analysis = facts.analysis
    if analysis is not None and analysis.rows > 0:
        weights = (facts.survey.engine is Engine.FIXED and analysis.weights) or {}
        return analysis.visitors, {key: weight for key, weight in weights.items() if weight > 0}
    if not isinstance(facts.split, Split):
        return {}, {}
    rows = {variant.key: moments.rows for variant, moments in zip(facts.variants, facts.objective, strict=True)}
    return rows, dict(facts.split.weights)
