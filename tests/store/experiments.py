"""What the store promises: what is in force, what was, and the ways from one to the other."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.definition import parse
from experiments.errors import Conflict, Invalid, NotFound
from experiments.model import State
from experiments.store import Store
from tests.store.made import BODY


class ExperimentsContract:
    """Experiments, versions, phases and states (SEMANTICS §2)."""

    def test_create(self, store: Store) -> None:
        """A new experiment is a draft at version 1 and phase 1, its slots counted from 0."""
        made = store.create_experiment(parse(BODY), by="ann")
        assert (made.version, made.phase, made.state, made.slots) == (1, 1, State.DRAFT, (0, 1))
        assert store.experiment("spring") == store.experiment_by_id(made.id) == made == store.experiments()[0]
        with pytest.raises(Conflict, match="'spring' exists"):
            store.create_experiment(parse(BODY), by="ann")
        with pytest.raises(NotFound, match="'autumn'"):
            store.experiment("autumn")

    def test_beaten(self, store: Store) -> None:
        """Who is proved beaten is a version and a phase, stays over saves while the proof stands, and is bounded."""
        body = BODY | {"goal": "prove", "context": []}
        store.create_experiment(parse(body), by="ann")
        made = store.set_beaten("spring", ("b",), based_on=1, by="proof")
        assert (made.version, made.phase, made.beaten) == (2, 2, ("b",))
        assert store.experiment("spring") == made
        saved = store.save_experiment(parse(body | {"name": "One"}), based_on=2, by="ann")
        assert (saved.phase, saved.beaten) == (2, ("b",))
        started = store.set_state("spring", State.RUNNING, by="ann")
        assert (started.phase, started.beaten) == (2, ("b",))
        with pytest.raises(Conflict, match="version 4"):
            store.set_beaten("spring", (), based_on=3, by="proof")
        with pytest.raises(Invalid, match=r"must be variants of 'spring', found \['z'\]"):
            store.set_beaten("spring", ("z",), based_on=4, by="proof")
        with pytest.raises(Invalid, match="must leave an enabled variant"):
            store.set_beaten("spring", ("a", "b"), based_on=4, by="proof")
        back = store.save_experiment(parse(body | {"goal": "earn"}), based_on=4, by="ann")
        assert (back.phase, back.beaten) == (3, ())
        assert [version.experiment.beaten for version in store.versions("spring")] == [(), ("b",), ("b",), ("b",), ()]

    def test_standards(self, store: Store) -> None:
        """Learned centers and scales are a version and a phase, and stay while their numbers are declared alike."""
        age = {"name": "age", "type": "number", "standardize": True}
        body = BODY | {"context": [*BODY["context"], age]}
        store.create_experiment(parse(body), by="ann")
        made = store.set_standards("spring", {"age": (40.5, 0.1)}, based_on=1, by="learning")
        assert (made.version, made.phase, made.standards) == (2, 2, {"age": (40.5, 0.1)})
        assert store.experiment("spring") == made
        assert made.schema.standards == made.standards
        with pytest.raises(Conflict, match="version 2"):
            store.set_standards("spring", {}, based_on=1, by="learning")
        with pytest.raises(Invalid, match=r"standards: .*found \['device'\]"):
            store.set_standards("spring", {"device": (0.0, 1.0)}, based_on=2, by="learning")
        started = store.set_state("spring", State.RUNNING, by="ann")
        saved = store.save_experiment(parse(body | {"name": "One"}), based_on=3, by="ann")
        assert started.standards == saved.standards == made.standards
        other = body | {"context": [age | {"center": 1}, {"name": "new", "type": "boolean"}]}
        assert store.save_experiment(parse(other), based_on=4, by="ann").standards == {}

    def test_save_names_its_base(self, store: Store) -> None:
        """A save that is based on an old version is refused, and changes nothing."""
        store.create_experiment(parse(BODY), by="ann")
        saved = store.save_experiment(parse(BODY | {"name": "One"}), based_on=1, by="ben")
        assert (saved.version, saved.phase, saved.definition.name) == (2, 1, "One")
        with pytest.raises(Conflict, match="version 2"):
            store.save_experiment(parse(BODY | {"name": "Two"}), based_on=1, by="eve")
        assert store.experiment("spring") == saved

    @pytest.mark.parametrize(
        ("change", "phases"),
        [
            ({"name": "x", "hypothesis": "y", "tags": ["z"]}, 0),
            ({"variants": [{"key": "a", "name": "A", "content": {"x": 1}}, {"key": "b"}]}, 0),
            ({"variants": [{"key": "b"}, {"key": "a"}]}, 0),
            ({"variants": [{"key": "a"}, {"key": "b", "enabled": False}]}, 1),
            ({"variants": [{"key": "a"}, {"key": "b", "weight": 2}]}, 1),
            ({"variants": [{"key": "a"}, {"key": "b"}, {"key": "c"}]}, 1),
            ({"audience": {"device": "mobile"}}, 1),
            ({"traffic": 0.5}, 1),
            ({"exploration": 0.1}, 1),
            ({"policy": {"name": "fixed"}}, 1),
        ],
    )
    def test_phase(self, store: Store, change: dict[str, Any], phases: int) -> None:
        """What moves traffic begins a phase; names, contents and the order of variants do not."""
        store.create_experiment(parse(BODY), by="ann")
        saved = store.save_experiment(parse(BODY | change), based_on=1, by="ann")
        assert (saved.version, saved.phase) == (2, 1 + phases)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"unit": "decision"}, "unit"),
            ({"metrics": [{"key": "sale", "window_seconds": 61}]}, "objective"),
            ({"metrics": [{"key": "other", "window_seconds": 60}]}, "objective"),
            ({"context": [{"name": "device", "type": "boolean"}]}, "context.device.type"),
            ({"smallest_lift": 0.1}, "smallest_lift"),
            ({"may_change": True}, "may_change"),
            ({"variants": [{"key": "a"}, {"key": "b", "control": True}]}, "the control"),
        ],
    )
    def test_frozen_after_start(self, store: Store, change: dict[str, Any], field: str) -> None:
        """What rows mean cannot change after the start; a draft may change it."""
        store.create_experiment(parse(BODY), by="ann")
        store.save_experiment(parse(BODY | change), based_on=1, by="ann")
        store.save_experiment(parse(BODY), based_on=2, by="ann")
        store.set_state("spring", State.RUNNING, by="ann")
        with pytest.raises(Invalid, match=field):
            store.save_experiment(parse(BODY | change), based_on=4, by="ann")

    def test_slots_are_never_reused(self, store: Store) -> None:
        """A new variant gets a number that no other ever had; one that comes back has its own again."""
        store.create_experiment(parse(BODY), by="ann")
        without = store.save_experiment(parse(BODY | {"variants": [{"key": "b"}, {"key": "c"}]}), based_on=1, by="x")
        assert without.slots == (1, 2)
        every = [{"key": key} for key in "dba"]
        assert store.save_experiment(parse(BODY | {"variants": every}), based_on=2, by="x").slots == (3, 1, 0)

    def test_states(self, store: Store) -> None:
        """Draft → running ⇄ paused → stopped → archived, and no other way."""
        store.create_experiment(parse(BODY), by="ann")
        steps = [State.RUNNING, State.PAUSED, State.RUNNING, State.STOPPED, State.ARCHIVED]
        for state in steps:
            legal = {
                State.DRAFT: {State.RUNNING},
                State.RUNNING: {State.PAUSED, State.STOPPED},
                State.PAUSED: {State.RUNNING, State.STOPPED},
                State.STOPPED: {State.ARCHIVED},
            }[store.experiment("spring").state]
            for other in set(State) - legal:
                with pytest.raises(Conflict, match="cannot become"):
                    store.set_state("spring", other, by="ann")
            assert store.set_state("spring", state, by="ann").state is state
        versions = store.versions("spring")
        assert [version.state for version in versions] == [State.DRAFT, *steps]
        assert [version.version for version in versions] == list(range(1, 7))
        assert [entry.action for entry in store.audit_log(10)] == [
            *[state.value for state in reversed(steps)],
            "create",
        ]

    def test_winner(self, store: Store) -> None:
        """Only a stopped experiment has a winner; it may be chosen later, and stays when archived."""
        store.create_experiment(parse(BODY), by="ann")
        with pytest.raises(Invalid, match="winner"):
            store.set_state("spring", State.RUNNING, by="ann", winner="a")
        store.set_state("spring", State.RUNNING, by="ann")
        with pytest.raises(Invalid, match="must be one of a, b"):
            store.set_state("spring", State.STOPPED, by="ann", winner="z")
        assert store.set_state("spring", State.STOPPED, by="ann").winner is None
        assert store.set_state("spring", State.STOPPED, by="ann", winner="b", based_on=3).winner == "b"
        with pytest.raises(Conflict, match="version 4"):
            store.set_state("spring", State.ARCHIVED, by="ann", based_on=3)
        assert store.set_state("spring", State.ARCHIVED, by="ann").winner == "b"
