"""The one sentence on top of a report: what to do next, and never more than was proved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from experiments.analysis.values import Engine
from experiments.contenders import sees_context
from experiments.model import ProofKind, State
from experiments.report import course
from experiments.report.exploring import SLOW
from experiments.report.grounds import Grounds
from experiments.report.numbers import Contrast, VariantReport
from experiments.report.values import Advice, Finding, Level
from experiments.statistics.moments import Missing

LATELY = "the last seven days that were counted"
MOST = 0.99
"""The largest chance that is written out."""


def advise(grounds: Grounds) -> Advice:
    """Say what is wrong, else what is proved, else what is believed, else that it is too early."""
    found = (answer(grounds) for answer in _ANSWERS)
    return next(advice for advice in found if advice is not None)


def _wrong(grounds: Grounds) -> Advice | None:
    alarm = next((check for check in grounds.checks if check.level is Level.ALARM), None)
    if alarm is None:
        return None
    return Advice(Finding.DATA_WRONG, f"Unhealthy: {alarm.message} {alarm.hint}".strip())


def _nothing(grounds: Grounds) -> Advice | None:
    facts = grounds.facts
    if facts.rows > 0:
        return None
    if grounds.experiment.state is State.DRAFT:
        why = "the experiment has not been started"
    elif facts.health.decisions == 0:
        why = "no visitor has come yet"
    else:
        why = f"{facts.health.decisions} decisions wait for their reward window to close"
    return Advice(Finding.NO_DATA, f"No data: {why}.")


def _finished(grounds: Grounds) -> Advice | None:
    winner = grounds.experiment.winner
    return None if winner is None else Advice(Finding.FINISHED, f"Finished: every visitor gets '{winner}'.", winner)


def _harmed(grounds: Grounds) -> Advice | None:
    for metric in grounds.experiment.definition.metrics:
        for proof in grounds.against_control(ProofKind.HARMED, metric=metric.key).values():
            if grounds.served(proof.variant) is not None and not grounds.over:
                text = f"Unhealthy: {proof.text} Take it out, or accept the loss."
                return Advice(Finding.HARMED, text, proof.variant)
    return None


def _personalised(grounds: Grounds) -> Advice | None:
    """Return that no one variant does as well as choosing, where that is proved of each."""
    beaten = {proof.variant: proof for proof in grounds.proved(ProofKind.PERSONALISED)}
    if not sees_context(grounds.experiment.definition) or not grounds.enabled or not grounds.enabled <= beaten.keys():
        return None
    since = grounds.since(beaten[key] for key in grounds.enabled)
    text = f"Choosing by visitor is proved better than any one variant for everybody, on average since {since}."
    return Advice(Finding.PERSONALISED, f"{text} {_next(grounds, 'Let it go on choosing.')}".strip())


def _best(grounds: Grounds) -> Advice | None:
    """Return what to do about the variant that was proved best last."""
    found = [(proof, grounds.served(proof.variant)) for proof in grounds.proved(ProofKind.BEST)]
    proof, best = next(((proof, best) for proof, best in reversed(found) if best is not None), (None, None))
    if proof is None or best is None:
        return None
    lift = _lift(best.contrast)
    against = lift and f"{lift} compared with '{grounds.control.name}'"
    said = f"proved best on average since {grounds.since([proof])}{against}"
    if (why := _unsure(grounds, best)) is not None:
        finding, lead, tail = why
        text = f"'{best.name}' {lead} {said}{tail} {_next(grounds, 'Keep running.')}"
        return Advice(finding, text.strip(), best.key)
    left = course.WHOLE_WEEKS - round(grounds.facts.days_of(grounds.enabled), 1)
    if left > 0:
        short = f"'{best.name}' is {said}, but the variants have not all been compared for two whole weeks yet."
        wait = _next(grounds, f"Keep running ({course.days(left)} left).")
        return Advice(Finding.PROVED_BETTER, f"{short} {wait}".strip(), best.key)
    verb = "Keep the control" if best.control else "Ship"
    return Advice(Finding.SHIP, f"{verb} '{best.name}': {said}.", best.key)


def _unsure(grounds: Grounds, best: VariantReport) -> tuple[Finding, str, str] | None:
    """Return what is not on its side of the last seven days that were counted: words before and after the proof."""
    analysis = grounds.facts.analysis
    if analysis is not None and grounds.stale:
        last = f"; how it does now is not known: the last visitor counted came on {course.date(analysis.last)}."
        return Finding.PROVED_BETTER, "is", last
    ahead = _ahead_lately(grounds, best)
    if ahead is None:
        return Finding.PROVED_BETTER, "is", f"; whether it was ahead over {LATELY} is not known."
    if not ahead:
        whom = "every other variant" if best.control else "the control"
        return Finding.WAS_BEST, "was best, recently not:", f", but not ahead of {whom} over {LATELY}."
    return None


def _ahead_lately(grounds: Grounds, best: VariantReport) -> bool | None:
    """Whether it was ahead over the last seven days: of the control, or, as the control, of every other one."""
    sign = 1.0 if grounds.experiment.objective.better_up else -1.0
    gaps = [rival.recent for rival in grounds.rivals] if best.control else [best.recent]
    known = [sign * gap for gap in gaps if gap is not None]
    if len(known) < len(gaps):
        return None
    return all(gap < 0 for gap in known) if best.control else known[0] > 0


def _no_difference(grounds: Grounds) -> Advice | None:
    alike = grounds.against_control(ProofKind.NO_DIFFERENCE)
    proofs = [alike[rival.key] for rival in grounds.rivals if rival.key in alike]
    margins = [proof.margin for proof in proofs if proof.margin is not None]
    if not margins or not len(grounds.rivals) == len(proofs) == len(margins):
        return None
    text = f"No difference larger than {100 * max(margins):.3g}% from the control '{grounds.control.name}'"
    advice = _next(grounds, "Stop, and keep whichever is simplest.")
    return Advice(Finding.NO_DIFFERENCE, f"{text} (proved, on average since {grounds.since(proofs)}). {advice}".strip())


def _better(grounds: Grounds) -> Advice | None:
    """Return the variant that is proved better than the control, though not yet than all others."""
    keys = _told_from_control(grounds, ProofKind.BETTER)
    better = [rival for rival in grounds.rivals if rival.key in keys]
    if not better:
        return None
    best = max(better, key=lambda rival: _gain(grounds, rival))
    text = f"'{best.name}' is proved better than the control '{grounds.control.name}'{_lift(best.contrast)}."
    return Advice(Finding.PROVED_BETTER, f"{text} {_next(grounds, _until_best(grounds, better))}".strip(), best.key)


def _until_best(grounds: Grounds, better: Sequence[VariantReport]) -> str:
    """Return what to do until one of them is proved best: where that is far, there is more than one way."""
    if grounds.days_left is None or grounds.days_left <= SLOW:
        return f"Keep running{_left(grounds)}: before it is shipped it should be proved best."
    names = ", ".join(f"'{rival.name}'" for rival in better)
    far = f"To prove one variant best would take {course.days(grounds.days_left)}"
    return f"{far}: keep running, or settle for one that is proved better than the control ({names})."


def _worse(grounds: Grounds) -> Advice | None:
    keys = _told_from_control(grounds, ProofKind.WORSE)
    if not grounds.rivals or not {rival.key for rival in grounds.rivals} <= keys:
        return None
    names = ", ".join(f"'{rival.name}'" for rival in grounds.rivals)
    text = f"{names}: proved worse than the control '{grounds.control.name}'."
    return Advice(Finding.PROVED_WORSE, f"{text} {_next(grounds, 'Stop, and keep the control.')}".strip())


def _told_from_control(grounds: Grounds, kind: ProofKind) -> set[str]:
    """Return the variants that are proved so: by stored proofs, and by the sums alone where nothing was analysed."""
    proved = set(grounds.against_control(kind))
    if grounds.facts.analysis is not None:
        return proved
    up = (kind is ProofKind.BETTER) == grounds.experiment.objective.better_up
    pairs = [(rival.key, rival.contrast) for rival in grounds.rivals if rival.contrast is not None]
    return proved | {key for key, contrast in pairs if (contrast.low > 0 if up else contrast.high < 0)}


def _undecided(grounds: Grounds) -> Advice:
    lead = "Finished" if grounds.over else f"Keep running{_left(grounds)}"
    believed = [(variant.belief_best, variant) for variant in grounds.variants if variant.belief_best is not None]
    if _fixed_split(grounds):
        return Advice(Finding.KEEP_RUNNING, f"{lead}: no variant is proved better than the control yet.")
    if not believed:
        return Advice(Finding.KEEP_RUNNING, f"{lead}: nothing is proved yet.")
    chance, best = max(believed, key=lambda pair: pair[0])
    text = f"{lead}: '{best.name}' is believed to be best ({_share(chance)}), which is a belief and not a proof."
    return Advice(Finding.BELIEF_ONLY, text, best.key)


def _fixed_split(grounds: Grounds) -> bool:
    facts = grounds.facts
    if facts.analysis is not None:
        return facts.survey.engine is Engine.FIXED
    return not isinstance(facts.split, Missing)


def _gain(grounds: Grounds, rival: VariantReport) -> float:
    difference = 0.0 if rival.contrast is None else rival.contrast.difference
    return difference if grounds.experiment.objective.better_up else -difference


def _left(grounds: Grounds) -> str:
    return "" if grounds.days_left is None or grounds.over else f" ({course.days(grounds.days_left)} left)"


def _lift(contrast: Contrast | None) -> str:
    """Return by how much; nothing where today's limits leave open which way, whatever was proved earlier."""
    if contrast is None or contrast.lift_low is None or contrast.lift_high is None:
        return ""
    if contrast.lift_low <= 0 <= contrast.lift_high:
        return ""
    return f", by {contrast.lift_low:+.1%} to {contrast.lift_high:+.1%}"


def _share(chance: float) -> str:
    """Return a chance as a percentage, never as a certainty."""
    return "more than 99%" if chance > MOST else f"{chance:.0%}"


def _next(grounds: Grounds, text: str) -> str:
    return "" if grounds.over else text


_ANSWERS: tuple[Callable[[Grounds], Advice | None], ...] = (
    *(_wrong, _nothing, _finished, _harmed),
    *(_personalised, _best, _no_difference, _better, _worse, _undecided),
)
