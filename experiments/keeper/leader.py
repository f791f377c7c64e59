"""The leading keeper's work: experiments start and stop on time, rows mature, policies learn, versions are kept.

What a policy learned since its last stored version is held in memory and nowhere else. It is no secret: the rows are
committed with every step, so whoever leads next takes the same steps from the stored version and has the same bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bandit.validation import InvalidInput
from experiments.contenders import may_drop, proved, sees_context
from experiments.definition import parse_time
from experiments.delayed import learns_open_rows
from experiments.errors import Conflict, Invalid, NotFound
from experiments.keeper import analyst, learner, opened
from experiments.keeper.course import Course, version_of
from experiments.keeper.relearn import checksum, fitted, in_force, replay, steps
from experiments.model import Experiment, Micros, Proof, State
from experiments.standards import ENOUGH, ROWS, learned
from experiments.store import AnalysisRow, Step, Store

STEP_ROWS = 2_000
STEPS_PER_TICK = 5
"""Per experiment: a backlog of one must not keep the others, and the published folder, waiting."""

_log = logging.getLogger(__name__)


class Leader:
    """Matures and learns; valid for one epoch of the lease.

    Parameters
    ----------
    store
        Whose lease is held.
    epoch
        The lease's epoch: another one's commits are refused by the store.
    clock
        The time in µs since 1970 UTC.
    """

    def __init__(self, store: Store, *, epoch: int, clock: Callable[[], Micros]) -> None:
        self.epoch = epoch
        self._store = store
        self._clock = clock
        self._courses: dict[int, Course] = {}
        self._reads = self._counts = 0

    def work(self, watermark: Micros) -> bool:
        """Do what is due; returns whether rows are left that could mature at once.

        Parameters
        ----------
        watermark
            Everything accepted before this time is in the store.
        """
        busy, self._reads, self._counts = False, opened.BUDGET, analyst.BUDGET
        for experiment in self._store.experiments():
            try:
                busy |= self._advance(self._on_time(experiment), watermark)
            except (Conflict, NotFound, Invalid, InvalidInput) as error:
                # Another leader, a person or a damaged blob was first: read everything anew at the next tick.
                _log.warning("%s: %s", experiment.key, error)
                self._courses.pop(experiment.id, None)
            except (ValueError, ArithmeticError, LookupError, TypeError):
                # A mistake of ours in one experiment must keep neither the others nor the published folder waiting.
                _log.exception("%s: it learns nothing until this is put right", experiment.key)
                self._courses.pop(experiment.id, None)
            except Exception:
                self._courses.pop(experiment.id, None)  # it may have counted rows that were not committed
                raise
        return busy or self._counts <= 0

    def _on_time(self, experiment: Experiment) -> Experiment:
        """Start a draft whose time has come, stop whatever runs past its end."""
        state = _asked(experiment, self._clock())
        if state is None:
            return experiment
        _log.info("%s: %s on schedule", experiment.key, state)
        return self._store.set_state(experiment.key, state, by="schedule", based_on=experiment.version)

    def _advance(self, experiment: Experiment, watermark: Micros) -> bool:
        if experiment.state is State.DRAFT or experiment.imported:
            return False
        course = self._course(experiment)
        self._counts = course.analyst.read(course.seq, budget=self._counts)
        if course.opened is not None:
            self._reads = course.opened.read(watermark, budget=self._reads)
        for _ in range(STEPS_PER_TICK):
            rows = self._store.next_rows(experiment, watermark=watermark, limit=STEP_ROWS)
            if not rows:
                break
            blob = learner.step(course.blob, experiment, rows)
            self._commit(experiment, course, blob=blob, rows=rows, keep=course.due(self._clock()))
        else:
            return True
        if course.due(self._clock()) and (course.seq > course.stored.seq or course.moved(self._clock())):
            self._commit(experiment, course, blob=course.blob, rows=[], keep=True)
        elif course.analyst.owes(course.stored.seq, experiment.version):
            self._commit(experiment, course, blob=course.blob, rows=[], keep=False)
        self._judge(self._standardize(experiment, course), course)
        return False

    def _standardize(self, experiment: Experiment, course: Course) -> Experiment:
        """Record the centers and scales that the latest rows are enough for; the policy learns anew with them.

        Asked again when there are twice as many rows as the last time.
        """
        asked = experiment.state is State.RUNNING and sees_context(experiment.definition) and experiment.schema.waiting
        if not asked or course.seq < max(ENOUGH, 2 * course.standardized):
            return experiment
        course.standardized = course.seq
        rows = self._store.analysis_rows(experiment.id, after=max(0, course.seq - ROWS), limit=ROWS)
        standards = learned(experiment, [row.context for row in rows])
        if standards == experiment.standards:
            return experiment
        _log.info("%s: standardized: %s", experiment.key, standards)
        changed = self._store.set_standards(experiment.key, standards, based_on=experiment.version, by="learning")
        self._course(changed)
        return changed

    def _judge(self, experiment: Experiment, course: Course) -> None:
        """Pause where a guardrail is proved hurt; record which variants are proved beaten, and fit the policy to it.

        Asked after every stored version whose rows are all analysed; of harm after an edit, too, but who was proved
        beaten and came back by one stays until there are further rows.
        """
        seq, version = course.stored.seq, experiment.version
        if experiment.state is not State.RUNNING or course.judged == (seq, version):
            return
        if not course.analyst.kept(seq, version):
            return
        news, course.judged = course.judged[0] != seq, (seq, version)
        harms = course.analyst.harmed(experiment)
        if harms:
            self._pause(experiment, harms)
        elif news and may_drop(experiment.definition):
            self._drop(experiment, course.analyst.beaten(experiment))

    def _pause(self, experiment: Experiment, harms: list[Proof]) -> None:
        """Pause with all reasons at once, so that neither a crash nor whoever lets it go on leaves one out."""
        for harm in harms:
            _log.warning("%s: paused, as %s is proved to hurt %s", experiment.key, harm.variant, harm.metric)
        why = [{"metric": harm.metric, "variant": harm.variant, "row": harm.seq} for harm in harms]
        self._store.set_state(
            experiment.key, State.PAUSED, by="guardrail", based_on=experiment.version, detail={"harmed": why}
        )

    def _drop(self, experiment: Experiment, found: frozenset[str] | None) -> None:
        beaten = experiment.beaten if found is None else proved(experiment, found)
        if beaten != experiment.beaten:
            _log.info("%s: proved beaten: %s", experiment.key, ", ".join(beaten) or "none any more")
            self._course(self._store.set_beaten(experiment.key, beaten, based_on=experiment.version, by="proof"))

    def _course(self, experiment: Experiment) -> Course:
        """The experiment's course, its policy fitted to the definition in force."""
        course = self._courses.get(experiment.id) or self._resumed(experiment)
        if course.fits != experiment.version:
            if course.stored.phase != experiment.phase or not learner.fits(course.blob, experiment):
                blob = fitted(self._store, course.blob, experiment, seq=course.seq)
                self._commit(experiment, course, blob=blob, rows=[], keep=True)
            course.fits = experiment.version
            course.opened = opened.Opened(self._store, experiment) if learns_open_rows(experiment.definition) else None
        self._courses[experiment.id] = course
        return course

    def _resumed(self, experiment: Experiment) -> Course:
        """Go on from the newest stored version, by the steps that were taken since; the first time, store version 1."""
        stored = self._store.latest_policy(experiment.id)
        if stored is None:
            return self._begun(experiment)
        blob = stored.blob
        if blob is None or checksum(blob) != stored.checksum:
            _log.error("%s: policy version %d is damaged; it is relearned", experiment.key, stored.version)
            blob = replay(self._store, experiment, until=stored)
        course = Course(stored, blob, stored.seq, self._analyst(experiment))
        definition = in_force(self._store, experiment.key)[stored.phase]
        for rows in steps(self._store, experiment.id, after=stored.seq):
            course.blob, course.seq = learner.step(course.blob, definition, rows), rows[-1].seq
        return course

    def _begun(self, experiment: Experiment) -> Course:
        blob = learner.cold(experiment)
        stored = version_of(experiment, 1, blob, seq=0, now=self._clock())
        self._store.commit_step(Step(experiment.id, [], stored), epoch=self.epoch)
        return Course(stored, blob, 0, self._analyst(experiment))

    def _analyst(self, experiment: Experiment) -> analyst.Analyst:
        return analyst.Analyst(self._store, experiment, clock=self._clock)

    def _commit(
        self, experiment: Experiment, course: Course, *, blob: bytes, rows: list[AnalysisRow], keep: bool
    ) -> None:
        """Commit a step, and the policy after it as a version where it is to be kept."""
        seq = rows[-1].seq if rows else course.seq
        course.known = max([course.known, *(row.time for row in rows)])
        policy = course.next_version(experiment, blob, seq=seq, now=self._clock()) if keep else None
        course.analyst.add(rows)
        state, proofs = (None, ()) if rows and not keep else course.analyst.keep(experiment, seq=seq)
        if rows or policy is not None or state is not None or proofs:
            step = Step(experiment.id, rows, policy, analysis=state, proofs=proofs)
            self._store.commit_step(step, epoch=self.epoch)
        course.blob, course.seq, course.stored = blob, seq, policy or course.stored


def _asked(experiment: Experiment, now: Micros) -> State | None:
    """The state that the experiment's schedule asks for, or None."""
    definition = experiment.definition
    running = experiment.state in (State.RUNNING, State.PAUSED)
    if running and definition.ends_at is not None and parse_time(definition.ends_at) <= now:
        return State.STOPPED
    if experiment.state is State.DRAFT and definition.starts_at is not None and parse_time(definition.starts_at) <= now:
        return State.RUNNING
    return None
