"""The list of experiments with what matters of each at a glance."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from dashboard.extension import landit, store
from dashboard.guard.auth import allow
from experiments.access import UserRole
from experiments.model import Experiment, State
from experiments.report import ExperimentReport, build_report

pages = Blueprint("experiments", __name__)

ORDER = (State.RUNNING, State.PAUSED, State.DRAFT, State.STOPPED, State.ARCHIVED)


@dataclass(frozen=True, slots=True)
class Line:
    """One experiment of the list."""

    experiment: Experiment
    report: ExperimentReport


@pages.get("/experiments")
@allow(UserRole.VIEWER)
def listing() -> ResponseReturnValue:
    """List the experiments, running ones first; archived ones on request."""
    archived = request.args.get("archived") == "1"
    everything = store().experiments()
    shown = [item for item in everything if archived or item.state is not State.ARCHIVED]
    shown.sort(key=lambda item: (ORDER.index(item.state), -item.created, -item.id))
    now = landit().clock()
    lines = [Line(item, build_report(store(), item, now=now)) for item in shown]
    return render_template("experiments/list.html", lines=lines, archived=archived, hidden=len(everything) - len(shown))
