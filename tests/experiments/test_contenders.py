"""Goals, and who is still in the race."""

from __future__ import annotations

from typing import Any

import pytest

from bandit.exploration import Dropped
from experiments.contenders import may_drop, proved, still_beaten
from experiments.definition import changes_phase, parse
from experiments.errors import Invalid
from experiments.model import Experiment, State

BODY: dict[str, Any] = {
    "key": "k",
    "variants": [{"key": key} for key in "abcd"],
    "metrics": [{"key": "m"}],
    "goal": "prove",
}
CONTEXT = [{"name": "device", "type": "category", "values": ["mobile"]}]


def experiment(*, beaten: tuple[str, ...] = (), **changes: Any) -> Experiment:
    """A running experiment."""
    definition = parse(BODY | changes)
    slots = tuple(range(len(definition.variants)))
    return Experiment(1, definition, slots=slots, version=1, phase=1, state=State.RUNNING, beaten=beaten)


@pytest.mark.parametrize(
    ("changes", "beaten", "share"),
    [
        ({"goal": "custom"}, (), 0.2),
        ({"goal": "custom", "exploration": 0.33}, (), 0.33),
        ({"goal": "earn"}, (), 0.05),
        ({}, (), 0.4),
        ({}, ("a", "b"), 0.4),
        ({}, ("a", "b", "c"), 0.02),
        ({"variants": [{"key": f"v{i}"} for i in range(8)]}, (), 0.7),
        ({"variants": [{"key": f"v{i}"} for i in range(8)]}, tuple(f"v{i}" for i in range(7)), 0.02),
        ({"variants": [{"key": f"v{i}", "enabled": i > 0} for i in range(8)]}, (), 0.4),
        ({"variants": [{"key": "a"}]}, (), 0.4),
        ({"policy": {"name": "fixed"}}, (), 0.0),
    ],
)
def test_the_goal_says_how_much_explores(changes: dict[str, Any], beaten: tuple[str, ...], share: float) -> None:
    """A share a goal, more with many variants, little after the proof; a fixed split never explores."""
    assert experiment(beaten=beaten, **changes).exploration == share


def test_what_was_written_before_means_the_same() -> None:
    """Without a goal the exploration is what the definition says, and the vector what it was."""
    plain = {name: value for name, value in BODY.items() if name != "goal"}
    assert parse(plain).goal == "custom"
    assert experiment(goal="custom").dropped is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goal": "win"}, r"goal: .*found 'win'"),
        ({"goal": "earn", "exploration": 0.1}, r"exploration: must be left out unless the goal is custom, found 0.1"),
        ({"may_change": 1}, r"may_change: .*found 1"),
        ({"context": CONTEXT, "policy": {"name": "linucb"}}, r"goal: must be earn or custom .*found 'prove'"),
    ],
)
def test_goals_are_checked(changes: dict[str, Any], message: str) -> None:
    """A goal that cannot be had is refused at the door."""
    with pytest.raises(Invalid, match=message):
        parse(BODY | changes)


def test_a_goal_moves_traffic() -> None:
    """Another goal, and things that may change, begin a phase."""
    old = parse(BODY)
    assert changes_phase(old, parse(BODY | {"goal": "earn"}))
    assert changes_phase(old, parse(BODY | {"may_change": True}))
    assert not changes_phase(old, parse(BODY | {"name": "other"}))


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"goal": "earn"}, False),
        ({"goal": "custom"}, False),
        ({"policy": {"name": "fixed"}}, False),
        ({"context": CONTEXT}, True),
        ({"policy": {"name": "linucb"}}, True),
        ({"context": CONTEXT, "policy": {"name": "linucb"}, "goal": "earn"}, False),
    ],
)
def test_only_who_sees_no_context_drops(changes: dict[str, Any], may: bool) -> None:
    """What is worse on average may be best for some, and a fixed split stays as it is."""
    assert may_drop(parse(BODY | changes)) is may


def test_proofs_add_up() -> None:
    """A proof stays, unless things may change; and it never takes everybody out."""
    assert proved(experiment(), ["c", "b"]) == ("b", "c")
    assert proved(experiment(beaten=("a",)), ["c"]) == ("a", "c")
    assert proved(experiment(beaten=("a",), may_change=True), ["c"]) == ("c",)
    assert proved(experiment(beaten=("a",)), list("abcd")) == ("a",)
    assert proved(experiment(goal="earn"), ["c"]) == ()


def test_the_beaten_keep_nothing_or_little() -> None:
    """Exactly nothing, or a hundredth where things may change."""
    assert experiment(beaten=("b",)).dropped == Dropped(("b",), 0.0)
    assert experiment(beaten=("b",), may_change=True).dropped == Dropped(("b",), 0.01)


def variants(**changes: Any) -> list[dict[str, Any]]:
    """The variants, some of them changed; None removes one."""
    return [{"key": key} | changes.get(key, {}) for key in "abcd" if changes.get(key, {}) is not None]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"name": "other"}, ("b", "c")),
        ({"variants": [{"key": "new"}, *variants()]}, ("b", "c")),
        ({"variants": variants(b=None)}, ("c",)),
        ({"variants": variants(b={"enabled": False})}, ("b", "c")),
        ({"variants": variants(b={"content": {"x": 1}})}, ("c",)),
        ({"variants": variants(a={"enabled": False})}, ()),
        ({"variants": variants(a=None)}, ()),
        ({"variants": variants(d={"content": {"x": 1}})}, ()),
        ({"goal": "earn"}, ()),
        ({"may_change": True}, ("b", "c")),
    ],
)
def test_what_a_save_leaves_of_a_proof(changes: dict[str, Any], left: tuple[str, ...]) -> None:
    """Those stay out against whom the proof still stands."""
    assert still_beaten(experiment(beaten=("b", "c")), parse(BODY | changes)) == left
