"""Start, pause, resume, stop, ship, archive."""

from __future__ import annotations

from typing import Any

from experiments.model import Experiment, State
from experiments.store import Store


def move(editor: Any, action: str, **form: str) -> int:
    """Press a button; the status of the answer."""
    status: int = editor.post("/experiments/spring/state", {"action": action, **form}).status_code
    return status


def test_an_experiment_walks_through_its_states(editor: Any, kept: Store, experiment: Experiment) -> None:
    """Every button leads where it says."""
    for action, state in (
        ("start", State.RUNNING),
        ("pause", State.PAUSED),
        ("resume", State.RUNNING),
        ("stop", State.STOPPED),
        ("archive", State.ARCHIVED),
    ):
        assert move(editor, action) == 302
        assert kept.experiment("spring").state is state


def test_shipping_needs_a_winner(editor: Any, kept: Store, experiment: Experiment) -> None:
    """The winner is chosen on a page of its own, and everybody sees it from then on."""
    move(editor, "start")
    assert "Ship the winner" in editor.get("/experiments/spring/finish").text
    assert move(editor, "ship") == 422
    assert move(editor, "ship", winner="nobody") == 422
    assert move(editor, "ship", winner="b") == 302
    assert kept.experiment("spring").winner == "b"
    assert "Every visitor sees the winner" in editor.get("/experiments/spring").text


def test_an_illegal_move_explains_itself(editor: Any, kept: Store, experiment: Experiment) -> None:
    """409 with what is possible; unknown actions are refused."""
    answer = editor.post("/experiments/spring/state", {"action": "pause"})
    assert answer.status_code == 409
    assert "cannot become paused" in answer.text
    assert move(editor, "explode") == 422
    assert kept.experiment("spring").state is State.DRAFT


def test_a_stale_button_does_nothing(editor: Any, kept: Store, experiment: Experiment) -> None:
    """Somebody who looks at an old page is told."""
    kept.save_experiment(experiment.definition, based_on=1, by="somebody")
    assert move(editor, "start", based_on="1") == 409
    assert move(editor, "start", based_on="2") == 302


def test_an_unknown_experiment_is_not_found(editor: Any) -> None:
    """Every page of it."""
    for page in ("", "/edit", "/finish", "/live", "/report.json", "/report.csv"):
        assert editor.get(f"/experiments/nothing{page}").status_code == 404
    assert editor.post("/experiments/nothing/state", {"action": "start"}).status_code == 404
