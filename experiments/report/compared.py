"""Findings as the numbers of a report: nothing that is not finite, and a reason for everything that is not there."""

from __future__ import annotations

import math
from collections.abc import Mapping

from experiments.analysis.values import ContrastFinding, VariantFinding
from experiments.model import ProofKind
from experiments.report.facts import Facts
from experiments.report.numbers import Contrast, FinalTest
from experiments.report.proofs import is_current

ALWAYS_VALID = "always valid, 95%"
MOST = 690.0
"""The natural logarithm of the largest e-value that is written out, 1e299."""
_FIRST = (ProofKind.HARMED, ProofKind.BEST, ProofKind.BETTER, ProofKind.WORSE, ProofKind.NOT_WORSE)
"""Of several proofs about one pair, the one that says most."""


def finite(value: float | None) -> float | None:
    """Return the number, or None of what is none.

    >>> finite(0.5), finite(math.nan), finite(-math.inf)
    (0.5, None, None)
    """
    return value if value is not None and math.isfinite(value) else None


def shown(finding: VariantFinding | None) -> VariantFinding | None:
    """Return the finding, if its limits can be shown."""
    return None if finding is None or why_hidden(finding) else finding


def why_hidden(finding: VariantFinding | None) -> str:
    """Return what keeps a variant's limits from being shown; nothing where they are."""
    if finding is None:
        return "the variant is not part of the analysis"
    known = finite(finding.low) is not None and finite(finding.high) is not None
    return finding.reason or ("" if known else "the sums are not finite numbers")


def label(finding: VariantFinding | None) -> str:
    """Return what a variant's limits are, or why they are not shown."""
    why = why_hidden(finding)
    return f"not shown: {why}" if why else ALWAYS_VALID


def audit_label(finding: VariantFinding | None) -> str:
    """Return what the audit line is, or why it is not shown."""
    if finding is None or finding.audit_reason:
        return f"not shown: {'the variant is not part of the analysis' if finding is None else finding.audit_reason}"
    known = finite(finding.audit_low) is not None and finite(finding.audit_high) is not None
    return f"{ALWAYS_VALID}, without assuming many rows" if known else "not shown: it is kept for bounded rewards only"


def compared(
    finding: ContrastFinding | None, *, proved: ProofKind | None = None, final: FinalTest | None = None
) -> Contrast | None:
    """Return the contrast, where there is one."""
    if finding is None or finding.reason:
        return None
    difference, low, high = finite(finding.difference), finite(finding.low), finite(finding.high)
    if difference is None or low is None or high is None:
        return None
    lift, p_value = finite(finding.lift), finite(finding.p_value)
    return Contrast(
        difference=difference,
        low=low,
        high=high,
        lift=lift,
        lift_low=None if lift is None else finite(finding.lift_low),
        lift_high=None if lift is None else finite(finding.lift_high),
        p_value=1.0 if p_value is None else p_value,
        alpha=finding.alpha,
        against=finding.other,
        e_value=None if finding.log_e is None else math.exp(min(finding.log_e, MOST)),
        worst=finite(finding.worst),
        adjusted_p=finite(finding.adjusted_p),
        proved=proved,
        final=final,
        missing=finding.lift_reason,
    )


def why_not(finding: ContrastFinding | None) -> str:
    """Return what keeps a contrast from being shown; nothing where it is."""
    if finding is None:
        return "not shown: the variant is not part of the analysis"
    if finding.reason:
        return f"not shown: {finding.reason}"
    known = None not in (finite(finding.difference), finite(finding.low), finite(finding.high))
    return "" if known else "not shown: the sums are not finite numbers"


def proofs_against(facts: Facts, metric: str, *, other: str) -> Mapping[str, ProofKind]:
    """Return what says most of each variant against another one, about today's contents and everybody."""
    found: dict[str, ProofKind] = {}
    for proof in facts.proofs:
        about = proof.metric == metric and proof.segment is None
        pair = proof.other == other or (proof.kind is ProofKind.BEST and other in proof.rivals)
        if about and pair and is_current(proof, facts.experiment.definition, facts.course.version):
            found[proof.variant] = _telling(found.get(proof.variant), proof.kind)
    return found


def _telling(one: ProofKind | None, other: ProofKind) -> ProofKind:
    if one is None:
        return other
    return min(one, other, key=lambda kind: _FIRST.index(kind) if kind in _FIRST else len(_FIRST))
