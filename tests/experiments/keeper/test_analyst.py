"""The analysis beside the policy: the same bytes as from the rows, whatever happens; what it proves is acted on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from experiments.analysis import proofs as proving
from experiments.analysis.analysis import Analysis
from experiments.cli.experiments import recount_command
from experiments.definition import parse
from experiments.errors import Conflict, Unavailable
from experiments.keeper import analyst, counter
from experiments.keeper.leader import Leader
from experiments.keeper.recount import recount
from experiments.keeper.relearn import relearn
from experiments.model import Experiment, Proof, ProofKind, State
from experiments.records import DecisionRecord, RewardRecord
from experiments.store import AnalysisState, Step, Store
from tests.experiments.keeper.led import Led

WINDOW = 10
RATES = {"m": {"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8}, "spent": {"a": 0.5, "b": 0.3, "c": 0.1, "d": 0.1}}
DEVICES = ["mobile", "desktop"]
BODY: dict[str, Any] = {
    "key": "k",
    "unit": "decision",
    "variants": [{"key": "a"}, {"key": "b"}, {"key": "c"}],
    "context": [{"name": "device", "type": "category", "values": DEVICES}, {"name": "x", "type": "number"}],
    "segments": [{"attribute": "device"}],
    "metrics": [
        {"key": "m", "window_seconds": WINDOW},
        {"key": "spent", "kind": "revenue", "role": "guardrail", "window_seconds": WINDOW, "max": 9},
    ],
}
PAUSING = [BODY["metrics"][0], BODY["metrics"][1] | {"pauses": True}]


class World(Led):
    """Visitors who come, are logged and convert, without a server; and the leader of their store."""

    def begin(self, **changes: Any) -> Experiment:
        """Create and start an experiment."""
        definition = parse(BODY | changes)
        self.store.create_experiment(definition, by="t")
        started = self.store.set_state(definition.key, State.RUNNING, by="t")
        self.work()
        return started

    def change(self, **changes: Any) -> Experiment:
        """Save a change of its definition."""
        body = msgspec.to_builtins(self.experiment.definition) | changes
        return self.store.save_experiment(parse(body), based_on=self.experiment.version, by="t")

    def work(self) -> bool:
        """Let the leader do what is due."""
        return self.leader.work(self.clock())

    @property
    def experiment(self) -> Experiment:
        """As it is in force."""
        return self.store.experiment("k")

    @property
    def state(self) -> AnalysisState:
        """The stored analysis."""
        found = self.store.analysis_state(self.experiment.id)
        assert found is not None
        return found

    @property
    def seq(self) -> int:
        """The last row that the newest policy version knows."""
        newest = self.store.latest_policy(self.experiment.id)
        assert newest is not None
        return newest.seq

    @property
    def history(self) -> list[tuple[State, str]]:
        """States, and who brought them about."""
        return [(version.state, version.by) for version in self.store.versions("k")]

    def visit(self, count: int, *, work: bool = True) -> None:
        """Log decisions with their rewards, let their windows close, and the leader work."""
        experiment = self.experiment
        records = [record for _ in range(count) for record in self._visit(experiment)]
        self.store.ship("world", start=self.offset, end=self.offset + 1, records=records)
        self.offset += 1
        self.clock.sleep(WINDOW + 1)
        if work:
            self.work()

    def _visit(self, experiment: Experiment) -> Iterator[DecisionRecord | RewardRecord]:
        keys = experiment.variant_keys
        p = self.rng.dirichlet(np.ones(len(keys)) * 3)
        chosen = int(self.rng.choice(len(keys), p=p))
        self.clock.sleep(0.001)
        decision = DecisionRecord(
            id=self.ids.next(self.clock()),
            experiment=experiment.id,
            version=experiment.version,
            phase=experiment.phase,
            time=self.clock(),
            variant=keys[chosen],
            probability=float(p[chosen]),
            distribution=msgspec.Raw(msgspec.json.encode(p.tolist())),
            policy="thompson",
            policy_version=1,
            reason="policy",
            context={"device": str(self.rng.choice(DEVICES)), "x": float(self.rng.normal())},
        )
        yield decision
        for metric in experiment.definition.metrics:
            if self.rng.random() < RATES[metric.key][decision.variant]:
                yield RewardRecord(
                    experiment=experiment.id, decision=decision.id, metric=metric.key, value=1.0, time=decision.time
                )


@pytest.fixture
def world(sqlite_url: str, clock) -> Iterator[World]:
    """The visitors, over an empty store."""
    store = Store.open(sqlite_url, clock=clock)
    yield World(store, clock)
    store.close()


@pytest.fixture
def spoil(sqlite_url: str) -> Callable[[bytes | None], None]:
    """A function that replaces every stored analysis, or deletes it."""

    def replace_blobs(blob: bytes | None) -> None:
        with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
            if blob is None:
                connection.execute("DELETE FROM analysis_states")
            else:
                connection.execute("UPDATE analysis_states SET blob = ?", (blob,))
        connection.close()

    return replace_blobs


def test_it_is_stored_beside_the_policy_and_comes_back_from_the_rows(world: World) -> None:
    """With every version the sums of the same rows; a recount gives their bytes, over changes of all kinds."""
    world.begin()
    assert (world.state.seq, recount(world.store, "k", now=1).matches) == (0, True)
    for count in (1, 40, 300):
        world.visit(count)
        assert world.state.seq == world.seq
    world.change(variants=[{"key": "d"}, {"key": "c", "enabled": False}, {"key": "a", "control": True}])
    world.visit(30)
    world.change(metrics=BODY["metrics"][:1], name="fewer metrics")
    world.leader = world.new_leader()
    world.visit(40)
    world.change(variants=[{"key": "d"}, {"key": "c", "content": {"text": "new"}}, {"key": "a", "control": True}])
    world.visit(50, work=False)
    world.leader = world.new_leader()
    for _ in range(2):
        world.work()
        world.clock.sleep(1)
    found = recount(world.store, "k", now=1)
    assert (found.matches, found.rows, found.mended) == (True, 461, False)
    analysis = Analysis.from_bytes(world.state.blob)
    assert (analysis.since, analysis.rows) == (5, 50)
    assert relearn(world.store, "k").matches


def test_rows_of_a_version_that_ended_are_counted_alike(world: World) -> None:
    """Whether the leader saw a change before or after the rows that were still open makes no difference."""
    world.begin()
    world.visit(20, work=False)
    world.change(variants=[{"key": "a"}, {"key": "b"}, {"key": "c"}, {"key": "d"}])
    world.work()
    assert Analysis.from_bytes(world.state.blob).version == 2, "no row of the new version was counted"
    world.visit(20)
    assert Analysis.from_bytes(world.state.blob).version == 3
    assert recount(world.store, "k", now=1).matches


def test_a_step_that_fails_is_not_counted_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store goes away between counting and committing, the rows are counted once."""
    world.begin()
    world.visit(20)
    world.visit(20, work=False)

    def away(self: Store, step: Step, *, epoch: int) -> None:
        raise Unavailable("the database is down")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "commit_step", away)
        with pytest.raises(Unavailable):
            world.work()
    world.work()
    found = recount(world.store, "k", now=1)
    assert (found.matches, found.rows, world.state.seq) == (True, 40, 40)


@pytest.mark.parametrize("damage", [b"LANDITP1 nonsense", b"", None])
def test_what_is_damaged_is_counted_anew(
    world: World, spoil: Callable[[bytes | None], None], damage: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are read again, some in every tick, and come to the same bytes; learning goes on meanwhile."""
    monkeypatch.setattr(analyst, "BUDGET", 64)
    monkeypatch.setattr(counter, "PAGE", 20)
    world.begin()
    world.visit(300)
    blob = world.state.blob
    spoil(damage)
    if damage is not None:
        assert not recount(world.store, "k", now=1).matches
    world.leader = world.new_leader()
    assert world.work(), "there is more to read"
    assert world.state.seq == 64
    while world.work():
        pass
    assert (world.state.seq, world.state.blob) == (300, blob)
    assert recount(world.store, "k", now=1).matches


def test_another_experiments_analysis_is_not_taken(world: World, spoil: Callable[[bytes | None], None]) -> None:
    """An analysis that is whole, and of something else, is counted anew."""
    world.begin()
    world.visit(20)
    blob = world.state.blob
    other = world.begin(key="other", variants=[{"key": "b"}, {"key": "z"}])
    foreign = world.store.analysis_state(other.id)
    assert foreign is not None
    spoil(foreign.blob)
    world.leader = world.new_leader()
    world.work()
    assert world.state.blob == blob


def test_its_failure_keeps_nobody_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are learned, another experiment is analysed, and after a minute so is this one."""
    world.begin()
    world.visit(20)
    other = world.begin(key="other")
    whole = Analysis.add
    failures = []

    def fails(self: Analysis, rows: list[Any]) -> None:
        whole(self, rows[:1])
        failures.append(rows)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Analysis, "add", fails)
        for _ in range(3):
            world.visit(20)
    assert (world.seq, world.state.seq, len(failures)) == (80, 20, 1)
    assert world.store.analysis_state(other.id) is not None
    world.visit(20)
    assert (world.seq, world.state.seq) == (100, 20)
    world.clock.sleep(60)
    world.work()
    assert world.state.seq == 100
    assert recount(world.store, "k", now=1).matches


def test_sums_are_kept_while_nothing_can_be_concluded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the proofs fail, the sums go on; and who was beaten stays so."""
    world.begin()

    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(proving, "proved", fails)
    monkeypatch.setattr(proving, "beaten", fails)
    world.visit(20)
    world.clock.sleep(60)
    world.visit(20)
    assert world.state.seq == 40
    assert world.experiment.beaten == ()


def test_a_finished_experiment_is_analysed_to_its_last_row(world: World) -> None:
    """Rows that mature after the end are counted, too."""
    world.begin()
    world.visit(20)
    world.visit(20, work=False)
    world.store.set_state("k", State.STOPPED, by="t")
    world.work()
    assert (world.seq, world.state.seq) == (40, 40)
    world.store.set_state("k", State.ARCHIVED, by="t")
    assert recount(world.store, "k", now=1).matches


def harm(variant: str = "c") -> Callable[..., list[Proof]]:
    """A source that finds, at every look from row 30 on, that a variant hurts what is spent."""

    def proved(analysis: Analysis, experiment: Experiment, *, time: int) -> list[Proof]:
        if analysis.seq < 30:
            return []
        said = {"metric": "spent", "variant": variant, "other": "a", "segment": None}
        return [
            Proof(
                kind=ProofKind.HARMED,
                **said,
                seq=analysis.seq,
                time=time,
                since=analysis.since,
                estimate=-0.1,
                low=None,
                high=-0.05,
                alpha=0.05,
            )
        ]

    return proved


def test_a_hurt_guardrail_pauses_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The experiment pauses by itself, with a line in the audit; whoever lets it go on is not contradicted."""
    monkeypatch.setattr(proving, "proved", harm())
    world.begin(metrics=PAUSING)
    world.visit(20)
    assert world.experiment.state is State.RUNNING
    world.visit(20)
    assert world.history[-1] == (State.PAUSED, "guardrail")
    entry = world.store.audit_log()[0]
    assert (entry.by, entry.subject, *(entry.detail["harmed"][0][name] for name in ("metric", "variant"))) == (
        *("guardrail", "k"),
        *("spent", "c"),
    )
    (proof,) = world.store.proofs(world.experiment.id)
    assert (proof.kind, proof.seq) == (ProofKind.HARMED, 40)
    world.visit(10)
    assert world.state.seq == 50, "a paused experiment's rows still come in"
    world.store.set_state("k", State.RUNNING, by="ann")
    world.leader = world.new_leader()
    world.visit(20)
    world.visit(20)
    assert world.history[-1] == (State.RUNNING, "ann")
    assert world.store.proofs(world.experiment.id) == [proof], "the first stays, with its date"
    monkeypatch.setattr(proving, "proved", harm("b"))
    world.visit(20)
    assert world.history[-1] == (State.PAUSED, "guardrail"), "another proof is news"


def test_rows_prove_harm(world: World) -> None:
    """Two variants that lower what is spent by far are proved to, and the experiment pauses by itself."""
    world.begin(metrics=PAUSING)
    while world.experiment.state is State.RUNNING and world.seq < 2000:
        world.visit(100)
    assert world.history[-1] == (State.PAUSED, "guardrail")
    harmed = {proof.variant for proof in world.store.proofs(world.experiment.id) if proof.kind is ProofKind.HARMED}
    assert harmed
    assert harmed <= {"b", "c"}


def test_a_pause_is_made_up_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that died between the proof and the pause leaves the pause to the next one."""
    monkeypatch.setattr(proving, "proved", harm())
    world.begin(metrics=PAUSING)
    with monkeypatch.context() as patch:
        patch.setattr(Leader, "_judge", lambda *_: None)
        world.visit(40)
    assert (len(world.store.proofs(world.experiment.id)), world.experiment.state) == (1, State.RUNNING)
    world.leader = world.new_leader()
    world.work()
    assert world.history[-1] == (State.PAUSED, "guardrail")


def test_only_guardrails_that_say_so_pause(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof of harm alone is shown, and changes nothing."""
    monkeypatch.setattr(proving, "proved", harm())
    world.begin()
    world.visit(40)
    assert len(world.store.proofs(world.experiment.id)) == 1
    assert world.experiment.state is State.RUNNING


def test_a_variant_that_nobody_gets_pauses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Harm by a variant that was switched off is no reason to stop the others."""
    monkeypatch.setattr(proving, "proved", harm())
    world.begin(metrics=PAUSING, variants=[{"key": "a"}, {"key": "b"}, {"key": "c", "enabled": False}])
    world.visit(40)
    assert world.experiment.state is State.RUNNING


def test_the_command_says_whether_bytes_agree(
    world: World, sqlite_url: str, tmp_path: Path, spoil: Callable[[bytes | None], None]
) -> None:
    """``landit recount`` prints one JSON object, and fails where the stored analysis is another one."""

    def ask() -> tuple[int, dict[str, Any]]:
        done = CliRunner().invoke(recount_command, ["k", "--store", sqlite_url, "--data", str(tmp_path), "--json"])
        return done.exit_code, json.loads(done.stdout)

    world.begin()
    world.visit(20)
    code, body = ask()
    assert (code, body) == (0, body | {"experiment": "k", "matches": True, "rows": 20})
    spoil(b"nonsense")
    assert ask() == (1, body | {"matches": False})


def test_nothing_to_recount(world: World) -> None:
    """An experiment that was never started is refused with what to do."""
    world.store.create_experiment(parse(BODY), by="t")
    with pytest.raises(Conflict, match="landit serve"):
        recount(world.store, "k", now=1)


def test_proofs_that_failed_are_owed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again after the rest, also of an experiment that was stopped meanwhile and gets no further row."""
    world.begin(metrics=PAUSING)

    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(proving, "proved", fails)
    world.visit(40)
    world.store.set_state("k", State.STOPPED, by="t")
    assert (world.state.seq, world.store.proofs(world.experiment.id)) == (40, [])
    monkeypatch.setattr(proving, "proved", harm())
    world.clock.sleep(61)
    world.work()
    (proof,) = world.store.proofs(world.experiment.id)
    assert proof.seq == 40


def test_proofs_are_asked_after_a_restart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that stored the sums and not what they prove leaves that to the next one; nothing is stored twice."""
    with monkeypatch.context() as patch:
        patch.setattr(proving, "proved", lambda *_, **__: [])
        world.begin()
        world.visit(40)
    monkeypatch.setattr(proving, "proved", harm())
    steps: list[Step] = []
    commit = world.store.commit_step
    monkeypatch.setattr(world.store, "commit_step", lambda step, **facts: (steps.append(step), commit(step, **facts)))
    world.leader = world.new_leader()
    for _ in range(3):
        world.work()
    assert [(step.rows, step.policy, step.analysis, len(step.proofs)) for step in steps] == [([], None, None, 1)]


def test_an_edit_is_asked_without_a_row(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only the new definition proves is proved, and acted on, at the next tick."""
    world.begin()
    world.visit(40)
    monkeypatch.setattr(proving, "proved", harm())
    world.change(metrics=PAUSING)
    world.work()
    assert len(world.store.proofs(world.experiment.id)) == 1
    assert world.history[-1] == (State.PAUSED, "guardrail")


def test_a_pause_names_every_harm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same entry of the audit as the pause itself, so that no crash comes between."""
    monkeypatch.setattr(proving, "proved", lambda *a, **k: [*harm("b")(*a, **k), *harm("c")(*a, **k)])
    world.begin(metrics=PAUSING)
    world.visit(40)
    entry = world.store.audit_log()[0]
    assert (entry.action, entry.by) == ("paused", "guardrail")
    said = [{"metric": "spent", "variant": key, "row": 40} for key in "bc"]
    assert entry.detail["harmed"] == said


def test_harm_of_other_contents_or_another_control_pauses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proof speaks of what was shown, and of what it was compared with."""
    monkeypatch.setattr(proving, "proved", harm())
    with monkeypatch.context() as patch:
        patch.setattr(Leader, "_judge", lambda *_: None)
        world.begin(metrics=PAUSING)
        world.visit(40)
    assert len(world.store.proofs(world.experiment.id)) == 1
    monkeypatch.setattr(proving, "proved", lambda *_, **__: [])
    world.change(variants=[{"key": "b"}, {"key": "c"}])
    world.leader = world.new_leader()
    world.work()
    assert world.experiment.state is State.RUNNING
    world.change(variants=[{"key": "a"}, {"key": "b"}, {"key": "c", "content": {"text": "new"}}])
    world.work()
    assert world.experiment.state is State.RUNNING
