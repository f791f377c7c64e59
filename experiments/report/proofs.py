"""Proofs in words: what was proved, of whom, and from when on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.model import Definition, Proof, ProofKind
from experiments.report.course import Course
from experiments.report.values import ProofReport


def proof_reports(
    proofs: Sequence[Proof], definition: Definition, names: Mapping[str, str], *, course: Course
) -> tuple[ProofReport, ...]:
    """Return stored proofs with their sentences, in the order in which they were made.

    Parameters
    ----------
    proofs
        As the store keeps them.
    definition
        For the margins that they speak of.
    names
        From the key of every variant there ever was to its name.
    course
        Of the present contents.
    """
    return tuple(_report(proof, definition, names, course) for proof in proofs)


def _report(proof: Proof, definition: Definition, names: Mapping[str, str], course: Course) -> ProofReport:
    current = proof.since == course.version
    when = f"since {course.date}" if current else f"with the contents of version {proof.since}, which were changed"
    whom = "" if proof.segment is None else f" where {proof.segment}"
    return ProofReport(
        kind=proof.kind,
        metric=proof.metric,
        variant=proof.variant,
        other=proof.other,
        segment=proof.segment,
        time=proof.time,
        seq=proof.seq,
        since=proof.since,
        current=current,
        estimate=proof.estimate,
        low=proof.low,
        high=proof.high,
        alpha=proof.alpha,
        text=f"{_claim(proof, definition, names)}{whom}, on average {when}.",
    )


def _claim(proof: Proof, definition: Definition, names: Mapping[str, str]) -> str:
    """Return what is said of the variant, without when and of whom."""
    name = f"'{names.get(proof.variant, proof.variant)}'"
    other = "all others" if proof.other is None else f"'{names.get(proof.other, proof.other)}'"
    margin = _percent(_margin(proof, definition))
    match proof.kind:
        case ProofKind.BEST:
            return f"{name} is proved best by {proof.metric}"
        case ProofKind.BETTER:
            return f"{name} is proved better than {other} by {proof.metric}"
        case ProofKind.WORSE:
            return f"{name} is proved worse than {other} by {proof.metric}"
        case ProofKind.NOT_WORSE:
            return f"{name} is proved not worse than {other}{margin and f' by more than {margin}'} of {proof.metric}"
        case ProofKind.NO_DIFFERENCE:
            return f"Between {name} and {other} no difference{margin and f' larger than {margin}'} of {proof.metric}"
        case ProofKind.HARMED:
            return f"{name} is proved to hurt the guardrail {proof.metric}"
        case ProofKind.PERSONALISED:
            return f"Choosing by visitor is proved better than {name} for everybody, by {proof.metric},"


def _margin(proof: Proof, definition: Definition) -> float:
    if proof.kind is ProofKind.NO_DIFFERENCE:
        return definition.smallest_lift or 0.0
    metric = next((metric for metric in definition.metrics if metric.key == proof.metric), None)
    return 0.0 if metric is None else metric.margin


def _percent(share: float) -> str:
    """Return a share as a percentage; nothing of none.

    >>> _percent(0.05), _percent(0.0)
    ('5%', '')
    """
    return f"{100 * share:.3g}%" if share > 0 else ""
