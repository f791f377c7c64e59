"""From the store's sums to a report."""

from __future__ import annotations

from dataclasses import asdict

from experiments.model import Experiment, Micros
from experiments.report.advice import advise
from experiments.report.believed import beliefs_of
from experiments.report.checks import run_checks
from experiments.report.facts import Facts, gather
from experiments.report.grounds import Grounds
from experiments.report.horizon import days_left, multiplicity
from experiments.report.metrics import metric_reports
from experiments.report.proofs import proof_reports
from experiments.report.segments import segment_reports, segments_note
from experiments.report.served import served_report
from experiments.report.traffic import shares_by
from experiments.report.values import ExperimentReport
from experiments.report.variants import variant_reports
from experiments.store import Store

SIMULATED = "simulated"
"""The tag of an experiment whose visitors a program made."""

EVERYBODY = "Everybody whose reward windows have closed."


def build_report(store: Store, experiment: Experiment, *, now: Micros) -> ExperimentReport:
    """Read the experiment's sums and say what they mean at the time ``now``."""
    return report_of(gather(store, experiment, now=now))


def report_of(facts: Facts) -> ExperimentReport:
    """Say what the facts mean: reads nothing, and gives the same report for the same facts."""
    experiment = facts.experiment
    beliefs = beliefs_of(facts)
    objective = facts.survey.of(experiment.objective.key)
    variants = variant_reports(facts, objective, beliefs)
    left = days_left(facts)
    checks = run_checks(facts, left=left)
    proofs = proof_reports(facts.proofs, experiment.definition, facts.names, course=facts.course)
    return ExperimentReport(
        experiment=experiment.key,
        name=experiment.definition.name or experiment.key,
        version=experiment.version,
        phase=experiment.phase,
        state=experiment.state,
        winner=experiment.winner,
        as_of=facts.now,
        imported=experiment.imported,
        simulated=SIMULATED in experiment.definition.tags,
        policy=experiment.definition.policy.name,
        policy_version=facts.policy_version,
        exploration=experiment.exploration,
        objective=experiment.objective.key,
        rows=facts.rows,
        decisions=facts.health.decisions,
        advice=advise(Grounds(facts, variants, checks, proofs, left)),
        belief=beliefs.label,
        variants=variants,
        traffic=shares_by(facts.step, facts.buckets, [variant.key for variant in facts.variants]),
        checks=checks,
        metrics=metric_reports(facts),
        health=asdict(facts.health),
        since=facts.course.since,
        since_version=facts.course.version,
        running_days=facts.course.days,
        proofs=proofs,
        method=objective.engine if facts.analysis is not None else None,
        missing=facts.missing,
        analysed=0 if facts.analysis is None else facts.analysis.seq,
        population=_sentence(objective.population) or EVERYBODY,
        days_left=left,
        segments=segment_reports(facts),
        segments_note=segments_note(facts),
        multiplicity=multiplicity(facts),
        served=served_report(facts, objective),
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""
