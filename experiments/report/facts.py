"""What a report is made from: the analysis, the store's sums over all phases, and how the traffic was split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bandit.validation import InvalidInput
from experiments.analysis.analysis import Analysis
from experiments.analysis.inference import Survey, survey
from experiments.keeper.counter import History, as_of
from experiments.model import Experiment, Micros, Proof, Variant
from experiments.report.course import Course, contents_since, course_of
from experiments.report.split import Split, split_of
from experiments.report.summed import from_sums
from experiments.report.traffic import step_over
from experiments.statistics.moments import Missing, Moments
from experiments.store import ExperimentVersion, Health, Store, TrafficBucket, VariantSums

NOT_ANALYSED = "nothing has been analysed yet: there are no intervals but those of a fixed split"

CHANGED = "what a variant shows was changed, and rows from before and after have not been told apart yet"

MADE_ANEW = "the analysis is being made anew from the rows; intervals come back by themselves"
"""Said of bytes that cannot be read: whoever keeps the analysis notices them, too."""


@dataclass(frozen=True)
class Facts:
    """Everything that was read from the store for one report."""

    experiment: Experiment
    now: Micros
    variants: tuple[Variant, ...]
    """The current variants, then those that were removed while there are rows of them."""
    moments: Mapping[str, Mapping[str, Moments]]
    """Metric, then variant, to the sums over all phases, whatever variants showed then; see ``counted``."""
    step: Micros
    """In which ``buckets`` are added up."""
    buckets: Sequence[TrafficBucket]
    latest: Sequence[TrafficBucket]
    """The last of the buckets that the store keeps, which are shorter than a step."""
    health: Health
    split: Split | Missing
    policy_version: int | None
    course: Course = field(default_factory=Course)
    proofs: tuple[Proof, ...] = ()
    analysis: Analysis | None = None
    """None where none is stored, or none that can be read."""
    missing: str = NOT_ANALYSED
    """What the analysis lacks; empty where it has everything that has matured."""

    @cached_property
    def survey(self) -> Survey:
        """What the analysis says, else what the sums say."""
        if self.analysis is not None:
            return survey(self.analysis, self.experiment, segments_of={self.experiment.objective.key})
        split = Missing(CHANGED) if self.pooled else self.split
        return from_sums(self.experiment, self.moments, variants=self.variants, split=split)

    @cached_property
    def counted(self) -> Mapping[str, Mapping[str, Moments]]:
        """Metric, then variant, to the sums of the rows that count: since contents were changed, if they were."""
        if self.analysis is None or not self.course.changed:
            return self.moments
        ledgers = [self.analysis.ledger(metric.key) for metric in self.experiment.definition.metrics]
        return {ledger.metric: ledger.moments for ledger in ledgers if ledger is not None}

    @property
    def pooled(self) -> bool:
        """Whether the sums mix what a variant showed before and after it was changed."""
        return self.course.changed and self.analysis is None

    @property
    def names(self) -> dict[str, str]:
        """From the key of every variant with rows to its name."""
        return {variant.key: variant.name or variant.key for variant in self.variants}

    @property
    def objective(self) -> tuple[Moments, ...]:
        """The objective's moments in the order of ``variants``."""
        return self.moments_of(self.experiment.objective.key)

    @property
    def rows(self) -> int:
        """All matured analysis rows."""
        return sum(moments.rows for moments in self.moments.get(self.experiment.objective.key, {}).values())

    def days_of(self, keys: Collection[str]) -> float:
        """Return the days over which all of these variants were counted, pauses left out; 0 if one never was."""
        if self.analysis is None:
            return self.course.days
        firsts = self.analysis.firsts
        if not keys or not firsts.keys() >= set(keys):
            return 0.0
        return self.course.ran(max(firsts[key] for key in keys), self.analysis.last)

    def moments_of(self, metric: str) -> tuple[Moments, ...]:
        """A metric's ``counted`` moments in the order of ``variants``; empty ones where nothing has matured."""
        found = self.counted.get(metric, {})
        return tuple(found.get(variant.key, Moments()) for variant in self.variants)


def gather(store: Store, experiment: Experiment, *, now: Micros) -> Facts:
    """Read what a report of the experiment needs: a few sums a variant, and the traffic's buckets."""
    sums = store.sums(experiment.id)
    versions = store.versions(experiment.key)
    span = store.traffic_span(experiment.id)
    first, last = span or (now, now)
    step = step_over(last - first)
    buckets = store.traffic(experiment.id, step=step)
    policy = store.latest_policy(experiment.id)
    analysis, missing = read_analysis(store, experiment, rows=_rows(experiment, sums))
    since = contents_since(versions) if analysis is None else analysis.since
    return Facts(
        experiment=experiment,
        now=now,
        variants=_variants(experiment, versions, {found.variant for found in sums}),
        moments=_moments(sums),
        step=step,
        buckets=buckets,
        latest=store.traffic(experiment.id, since=last),
        health=store.health(experiment.id),
        split=split_of(versions, {found.phase for found in sums}, buckets),
        policy_version=None if policy is None else policy.version,
        course=course_of(versions, span, since=since, now=now),
        proofs=tuple(store.proofs(experiment.id)),
        analysis=analysis,
        missing=missing,
    )


def read_analysis(store: Store, experiment: Experiment, *, rows: int) -> tuple[Analysis | None, str]:
    """Return the stored analysis as the experiment is now, version by version, and what it lacks of so many rows."""
    state = store.analysis_state(experiment.id)
    if state is None:
        return None, NOT_ANALYSED
    try:
        analysis = Analysis.from_bytes(state.blob)
    except InvalidInput:
        return None, MADE_ANEW
    analysis = as_of(analysis, experiment.version, History(store, experiment.key))
    behind = f"{state.seq} of {rows} matured rows have been analysed so far; the rest follows"
    return analysis, behind if state.seq < rows else ""


def _rows(experiment: Experiment, sums: Iterable[VariantSums]) -> int:
    return sum(found.rows for found in sums if found.metric == experiment.objective.key)


def _moments(sums: Iterable[VariantSums]) -> dict[str, dict[str, Moments]]:
    added: defaultdict[str, dict[str, Moments]] = defaultdict(dict)
    for found in sums:
        part = Moments(rows=found.rows, total=found.total, squares=found.squares, nonzero=found.nonzero)
        added[found.metric][found.variant] = added[found.metric].get(found.variant, Moments()) + part
    return dict(added)


def _variants(
    experiment: Experiment, versions: Sequence[ExperimentVersion], with_rows: set[str]
) -> tuple[Variant, ...]:
    current = experiment.definition.variants
    earlier = {variant.key: variant for version in versions for variant in version.experiment.definition.variants}
    removed = sorted(with_rows - {variant.key for variant in current})
    return current + tuple(earlier.get(key, Variant(key=key, enabled=False)) for key in removed)
