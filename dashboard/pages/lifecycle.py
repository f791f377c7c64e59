"""Start, pause, resume, finish, archive: every change of state asks the store, which knows what is legal."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.extension import landit, store
from dashboard.guard import auth
from dashboard.guard.auth import allow
from experiments.access import UserRole
from experiments.errors import Invalid
from experiments.model import State
from experiments.report import build_report

pages = Blueprint("lifecycle", __name__, url_prefix="/experiments/<key>")


@dataclass(frozen=True, slots=True)
class Move:
    """A button: the state that it leads to, and what to say afterwards."""

    state: State
    said: str


MOVES = {
    "start": Move(State.RUNNING, "The experiment is running; servers serve it within two seconds."),
    "pause": Move(State.PAUSED, "Paused: new visitors see the control, and nothing is recorded."),
    "resume": Move(State.RUNNING, "The experiment is running again."),
    "stop": Move(State.STOPPED, "Stopped: every visitor sees the control."),
    "ship": Move(State.STOPPED, "Shipped: every visitor sees the winner."),
    "archive": Move(State.ARCHIVED, "Archived: the site gets 'unknown experiment' for its key."),
}


@pages.post("/state")
@allow(UserRole.EDITOR)
def move(key: str) -> ResponseReturnValue:
    """Move the experiment to another state."""
    action = request.form.get("action", "")
    if action not in MOVES:
        raise Invalid(f"action must be one of {', '.join(MOVES)}, found {action[:40]!r}.")
    winner = request.form.get("winner") or None
    if action == "ship" and winner is None:
        raise Invalid("No winner was chosen.", hint="Choose the variant that every visitor shall see.")
    chosen = MOVES[action]
    store().set_state(
        key,
        chosen.state,
        by=auth.caller(),
        winner=winner if action == "ship" else None,
        based_on=_version(request.form.get("based_on", "")),
    )
    flash(chosen.said, "good")
    return redirect(url_for("results.page", key=key))


@pages.get("/finish")
@allow(UserRole.EDITOR)
def finish(key: str) -> ResponseReturnValue:
    """Ask how to finish: ship a winner, or stop without one."""
    experiment = store().experiment(key)
    report = build_report(store(), experiment, now=landit().clock())
    return render_template(
        "experiments/finish.html", experiment=experiment, report=report, chosen=request.args.get("winner")
    )


def _version(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else None
