"""The one sentence on top of a report: what to do next, and never more than was proved."""

from __future__ import annotations

from collections.abc import Callable

from experiments.model import ProofKind, State
from experiments.report import course
from experiments.report.grounds import Grounds
from experiments.report.numbers import Contrast, VariantReport
from experiments.report.values import Advice, Finding, Level
from experiments.statistics.moments import Missing


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
        for proof in grounds.proved(ProofKind.HARMED, metric=metric.key):
            if grounds.served(proof.variant) is not None and not grounds.over:
                text = f"Unhealthy: {proof.text} Take it out, or accept the loss."
                return Advice(Finding.HARMED, text, proof.variant)
    return None


def _personalised(grounds: Grounds) -> Advice | None:
    """Return that no one variant does as well as choosing, where that is proved of each."""
    beaten = {proof.variant for proof in grounds.proved(ProofKind.PERSONALISED)}
    served = {variant.key for variant in grounds.variants if variant.enabled}
    if not served or not served <= beaten:
        return None
    text = f"Choosing by visitor is proved better than any one variant for everybody, on average {_since(grounds)}."
    return Advice(Finding.PERSONALISED, f"{text} {_next(grounds, 'Let it go on choosing.')}".strip())


def _best(grounds: Grounds) -> Advice | None:
    """Return what to do about the variant that was proved best last."""
    found = [(proof, grounds.served(proof.variant)) for proof in grounds.proved(ProofKind.BEST)]
    best = next((variant for _, variant in reversed(found) if variant is not None), None)
    if best is None:
        return None
    said = f"proved best on average {_since(grounds)}{_lift(best.contrast)}"
    left = course.WHOLE_WEEKS - grounds.facts.course.days
    ahead = _ahead_lately(grounds, best)
    if ahead is None:
        text = f"'{best.name}' is {said}; whether it was ahead over the last seven days is not known."
        return Advice(Finding.PROVED_BETTER, f"{text} {_next(grounds, 'Keep running.')}".strip(), best.key)
    if not ahead:
        text = f"'{best.name}' was best, recently not: {said}, but not ahead over the last seven days."
        return Advice(Finding.WAS_BEST, f"{text} {_next(grounds, 'Keep running.')}".strip(), best.key)
    if left > 0:
        short = f"'{best.name}' is {said}, but has not run for two whole weeks."
        wait = _next(grounds, f"Keep running ({course.days(left)} left).")
        return Advice(Finding.PROVED_BETTER, f"{short} {wait}".strip(), best.key)
    verb = "Keep the control" if best.control else "Ship"
    return Advice(Finding.SHIP, f"{verb} '{best.name}': {said}.", best.key)


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
    rivals = {rival.key for rival in grounds.rivals}
    share = grounds.experiment.definition.smallest_lift
    if not rivals or not rivals <= alike or share is None:
        return None
    text = f"No difference larger than {100 * share:.3g}% from the control '{grounds.control.name}' (proved"
    advice = _next(grounds, "Stop, and keep whichever is simplest.")
    return Advice(Finding.NO_DIFFERENCE, f"{text}, on average {_since(grounds)}). {advice}".strip())


def _better(grounds: Grounds) -> Advice | None:
    """Return the variant that is proved better than the control, though not yet than all others."""
    keys = _told_from_control(grounds, ProofKind.BETTER)
    better = [rival for rival in grounds.rivals if rival.key in keys]
    if not better:
        return None
    best = max(better, key=lambda rival: _gain(grounds, rival))
    text = f"'{best.name}' is proved better than the control '{grounds.control.name}'{_lift(best.contrast)}."
    todo = f"Keep running{_left(grounds)}: before it is shipped it should be proved best."
    return Advice(Finding.PROVED_BETTER, f"{text} {_next(grounds, todo)}".strip(), best.key)


def _worse(grounds: Grounds) -> Advice | None:
    keys = _told_from_control(grounds, ProofKind.WORSE)
    if not grounds.rivals or not {rival.key for rival in grounds.rivals} <= keys:
        return None
    names = ", ".join(f"'{rival.name}'" for rival in grounds.rivals)
    text = f"{names}: proved worse than the control '{grounds.control.name}'."
    return Advice(Finding.PROVED_WORSE, f"{text} {_next(grounds, 'Stop, and keep the control.')}".strip())


def _told_from_control(grounds: Grounds, kind: ProofKind) -> set[str]:
    """Return the variants that are proved so: by stored proofs, or by the sums where nothing was analysed."""
    proved = grounds.against_control(kind)
    up = (kind is ProofKind.BETTER) == grounds.experiment.objective.better_up
    pairs = [(rival.key, rival.contrast) for rival in grounds.rivals if rival.contrast is not None]
    return proved | {key for key, contrast in pairs if (contrast.low > 0 if up else contrast.high < 0)}


def _undecided(grounds: Grounds) -> Advice:
    lead = "Finished" if grounds.over else f"Keep running{_left(grounds)}"
    believed = [(variant.belief_best, variant) for variant in grounds.variants if variant.belief_best is not None]
    if not isinstance(grounds.facts.split, Missing):
        return Advice(Finding.KEEP_RUNNING, f"{lead}: no variant is proved better than the control yet.")
    if not believed:
        return Advice(Finding.KEEP_RUNNING, f"{lead}: nothing is proved yet.")
    chance, best = max(believed, key=lambda pair: pair[0])
    text = f"{lead}: '{best.name}' is believed to be best ({chance:.0%}), which is a belief and not a proof."
    return Advice(Finding.BELIEF_ONLY, text, best.key)


def _gain(grounds: Grounds, rival: VariantReport) -> float:
    difference = 0.0 if rival.contrast is None else rival.contrast.difference
    return difference if grounds.experiment.objective.better_up else -difference


def _since(grounds: Grounds) -> str:
    return f"since {grounds.facts.course.date}"


def _left(grounds: Grounds) -> str:
    return "" if grounds.days_left is None or grounds.over else f" ({course.days(grounds.days_left)} left)"


def _lift(contrast: Contrast | None) -> str:
    """Return by how much; nothing where today's limits leave open which way, whatever was proved earlier."""
    if contrast is None or contrast.lift_low is None or contrast.lift_high is None:
        return ""
    if contrast.lift_low <= 0 <= contrast.lift_high:
        return ""
    return f", by {contrast.lift_low:+.1%} to {contrast.lift_high:+.1%}"


def _next(grounds: Grounds, text: str) -> str:
    return "" if grounds.over else text


_ANSWERS: tuple[Callable[[Grounds], Advice | None], ...] = (
    *(_wrong, _nothing, _finished, _harmed),
    *(_personalised, _best, _no_difference, _better, _worse, _undecided),
)
