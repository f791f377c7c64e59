"""The one sentence on top of a report: what to do next, and never more than was proved."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.model import State
from experiments.report.facts import Facts
from experiments.report.numbers import Contrast, VariantReport
from experiments.report.values import Advice, Check, Finding, Level
from experiments.statistics.moments import Missing

_OVER = (State.STOPPED, State.ARCHIVED)


def advise(facts: Facts, variants: Sequence[VariantReport], checks: Sequence[Check]) -> Advice:
    """Say what is proved, else what is believed, else that it is too early."""
    alarm = next((check for check in checks if check.level is Level.ALARM), None)
    if alarm is not None:
        return Advice(Finding.DATA_WRONG, f"{alarm.message} {alarm.hint}".strip())
    if facts.rows == 0:
        return Advice(Finding.NO_DATA, f"No data: {_no_data(facts)}.")
    if facts.experiment.winner is not None:
        return Advice(
            Finding.FINISHED, f"Finished: every visitor gets '{facts.experiment.winner}'.", facts.experiment.winner
        )
    return _proved(facts, variants) or _undecided(facts, variants)


def _proved(facts: Facts, variants: Sequence[VariantReport]) -> Advice | None:
    """What the always-valid contrasts against the control leave no doubt of."""
    contrasts = [(variant, variant.contrast) for variant in variants if variant.contrast is not None]
    better = [(variant, contrast) for variant, contrast in contrasts if contrast.low > 0]
    control = next(variant.name for variant in variants if variant.control)
    if better:
        best, contrast = max(better, key=lambda pair: pair[1].difference)
        text = f"'{best.name}' is proved better than the control '{control}'{_lift(contrast)}."
        return Advice(
            Finding.PROVED_BETTER, f"{text} {_next(facts, 'Ship it, or run on to know more.')}".strip(), best.key
        )
    worse = [variant for variant, contrast in contrasts if contrast.high < 0]
    if contrasts and len(worse) == len([variant for variant in variants if not variant.control]):
        names = ", ".join(f"'{variant.name}'" for variant in worse)
        text = f"{names}: proved worse than the control '{control}'."
        return Advice(Finding.PROVED_WORSE, f"{text} {_next(facts, 'Stop, and keep the control.')}".strip())
    return None


def _undecided(facts: Facts, variants: Sequence[VariantReport]) -> Advice:
    over = facts.experiment.state in _OVER
    if not isinstance(facts.split, Missing):
        nothing = "no variant is proved better than the control"
        return Advice(Finding.KEEP_RUNNING, f"Finished: {nothing}." if over else f"Keep running: {nothing} yet.")
    lead = "Finished" if over else "Keep running"
    believed = [(variant.belief_best, variant) for variant in variants if variant.belief_best is not None]
    if not believed:
        return Advice(Finding.KEEP_RUNNING, f"{lead}: nothing is proved while {facts.split.reason}.")
    chance, best = max(believed, key=lambda pair: pair[0])
    text = f"{lead}: '{best.name}' is believed to be best ({chance:.0%}), which is a belief and not a proof."
    return Advice(Finding.BELIEF_ONLY, text, best.key)


def _no_data(facts: Facts) -> str:
    if facts.experiment.state is State.DRAFT:
        return "the experiment has not been started"
    if facts.health.decisions == 0:
        return "no visitor has come yet"
    return f"{facts.health.decisions} decisions wait for their reward window to close"


def _lift(contrast: Contrast) -> str:
    if contrast.lift_low is None or contrast.lift_high is None:
        return ""
    return f", by {contrast.lift_low:+.1%} to {contrast.lift_high:+.1%}"


def _next(facts: Facts, text: str) -> str:
    return "" if facts.experiment.state in _OVER else text
