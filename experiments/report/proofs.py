"""Proofs in words: what was proved, of whom, and from when on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.model import Definition, Proof, ProofKind
from experiments.report.course import Course, date
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
        As it is now.
    names
        From the key of every variant there ever was to its name.
    course
        Of the present contents.
    """
    return tuple(_report(proof, definition, names, course) for proof in proofs)


def is_current(proof: Proof, definition: Definition, version: int) -> bool:
    """Say whether a proof speaks of the contents of that version and, if it is about the best, of all variants of now.

    A variant that was added, or enabled again, after a ``BEST`` was proved may be better still.
    """
    if proof.since != version:
        return False
    enabled = {variant.key for variant in definition.variants if variant.enabled}
    return proof.kind is not ProofKind.BEST or enabled <= {proof.variant, *proof.rivals}


def _report(proof: Proof, definition: Definition, names: Mapping[str, str], course: Course) -> ProofReport:
    return ProofReport(
        kind=proof.kind,
        metric=proof.metric,
        variant=proof.variant,
        other=proof.other,
        segment=proof.segment,
        time=proof.time,
        seq=proof.seq,
        since=proof.since,
        current=is_current(proof, definition, course.version),
        estimate=proof.estimate,
        low=proof.low,
        high=proof.high,
        alpha=proof.alpha,
        text=_sentence(proof, definition, names, course),
        margin=proof.margin,
        first=proof.first if proof.first > 0 else None,
        rivals=proof.rivals,
    )


def _sentence(proof: Proof, definition: Definition, names: Mapping[str, str], course: Course) -> str:
    whom = "" if proof.segment is None else f" where {proof.segment}"
    return f"{_claim(proof, definition, names)}{whom}, on average {_when(proof, course)}."


def _when(proof: Proof, course: Course) -> str:
    """Return the days that the average is of: from the first row that counts to the look that proved it."""
    begun = proof.first if proof.first > 0 else course.since
    today, until = proof.since == course.version, date(proof.time)
    if begun is None or not (today or proof.first > 0):
        when = f"until {until}"
    else:
        when = f"on {until}" if date(begun) == until else f"from {date(begun)} to {until}"
    return when if today else f"{when}, of what version {proof.since} showed"


def _claim(proof: Proof, definition: Definition, names: Mapping[str, str]) -> str:
    """Return what is said of the variant, without when and of whom."""
    name, metric = _name(proof.variant, names), proof.metric
    other = "all others" if proof.other is None else _name(proof.other, names)
    margin = _percent(proof.margin)
    match proof.kind:
        case ProofKind.BEST:
            return f"{name} is proved best by {metric}{_among(proof, definition, names)}"
        case ProofKind.BETTER:
            return f"{name} is proved better than {other} by {metric}"
        case ProofKind.WORSE:
            return f"{name} is proved worse than {other} by {metric}"
        case ProofKind.NOT_WORSE:
            worse = f"at most {margin} worse" if margin else "not worse"
            return f"{name} is proved {worse} than {other} by {metric}"
        case ProofKind.NO_DIFFERENCE:
            apart = f"by less than {margin}" if margin else "by less than would matter"
            return f"{name} and {other} are proved to differ {apart} in {metric}"
        case ProofKind.HARMED:
            return f"{name} is proved to hurt the guardrail {metric}{margin and f' by more than {margin}'}"
        case ProofKind.PERSONALISED:
            return f"Choosing by visitor is proved better than {name} for everybody by {metric}"


def _among(proof: Proof, definition: Definition, names: Mapping[str, str]) -> str:
    """Return the variants that a best one was best of, where they are not all that are enabled now."""
    if is_current(proof, definition, proof.since) or not proof.rivals:
        return ""
    others = [_name(key, names) for key in proof.rivals]
    return f" among {', '.join([_name(proof.variant, names), *others[:-1]])} and {others[-1]}"


def _name(key: str, names: Mapping[str, str]) -> str:
    return f"'{names.get(key, key)}'"


def _percent(share: float | None) -> str:
    """Return a share as a percentage; nothing of none.

    >>> _percent(0.05), _percent(0.0), _percent(None)
    ('5%', '', '')
    """
    return f"{100 * share:.3g}%" if share is not None and share > 0 else ""
