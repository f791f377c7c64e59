"""Experiments as JSON: list, create, read, save, start, pause, stop, archive. Needs an admin key."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from dashboard.api.openapi import operation
from dashboard.extension import store
from dashboard.guard import auth
from dashboard.guard.auth import allow
from experiments.access import Scope
from experiments.definition import parse
from experiments.errors import Invalid, NotFound, NotJSON
from experiments.goals import Goal
from experiments.model import Definition, Experiment, State, Strict

api = Blueprint("experiments_api", __name__, url_prefix="/api/experiments")

READ_ONLY = ("version", "phase", "state", "winner", "imported", "beaten", "standards")
"""Fields that the API shows and a definition does not have; sent back, they are taken as they are meant: as read."""
MOVES = {
    "start": State.RUNNING,
    "pause": State.PAUSED,
    "resume": State.RUNNING,
    "stop": State.STOPPED,
    "archive": State.ARCHIVED,
}


class Stop(Strict, frozen=True):
    """How to stop: with a winner that everybody sees from now on, or without."""

    winner: str | None = None


@api.get("")
@allow(scope=Scope.ADMIN)
@operation(summary="List the experiments", tag="experiments")
def listing() -> ResponseReturnValue:
    """Return every experiment."""
    return jsonify({"experiments": [_shown(experiment) for experiment in store().experiments()]})


@api.post("")
@allow(scope=Scope.ADMIN)
@operation(summary="Create an experiment, as a draft", tag="experiments", request=Definition, status=201)
def create() -> ResponseReturnValue:
    """Create an experiment."""
    experiment = store().create_experiment(parse(_definition()), by=auth.caller())
    return jsonify(_shown(experiment)), 201, {"Location": f"{request.path}/{experiment.key}"}


@api.get("/<key>")
@allow(scope=Scope.ADMIN)
@operation(summary="Read an experiment", tag="experiments")
def read(key: str) -> ResponseReturnValue:
    """Return an experiment with its version, phase and state."""
    return jsonify(_shown(store().experiment(key)))


@api.put("/<key>")
@allow(scope=Scope.ADMIN)
@operation(
    summary="Save an experiment; its 'version' is the one that the change is based on",
    tag="experiments",
    request=Definition,
)
def save(key: str) -> ResponseReturnValue:
    """Save a changed experiment; 409 where somebody else saved in between."""
    body = _object()
    based_on = body.get("version")
    if not isinstance(based_on, int) or isinstance(based_on, bool):
        raise Invalid(
            f"version: must be the whole number that the change is based on, found {based_on!r}.",
            hint=f"GET {request.path} shows it.",
        )
    definition = parse(_definition())
    if definition.key != key:
        raise Invalid(f"key: must be {key!r} as in the address, found {definition.key!r}.")
    return jsonify(_shown(store().save_experiment(definition, based_on=based_on, by=auth.caller())))


@api.post("/<key>/<move>")
@allow(scope=Scope.ADMIN)
@operation(summary="start, pause, resume, stop or archive an experiment", tag="experiments")
def move(key: str, move: str) -> ResponseReturnValue:
    """Move an experiment to another state; 409 where its state does not allow it."""
    if move not in MOVES:
        raise NotFound(f"There is no {move[:40]!r}.", hint=f"Use one of {', '.join(MOVES)}.")
    winner = _stop().winner if move == "stop" else None
    return jsonify(_shown(store().set_state(key, MOVES[move], by=auth.caller(), winner=winner)))


def _shown(experiment: Experiment) -> dict[str, Any]:
    return experiment.to_json() | {"imported": experiment.imported}


def _definition() -> dict[str, Any]:
    body = {name: value for name, value in _object().items() if name not in READ_ONLY}
    if body.get("goal") in (Goal.EARN, Goal.PROVE):  # which have an exploration of their own, shown as it is now
        body.pop("exploration", None)
    return body


def _object() -> dict[str, Any]:
    try:
        body = msgspec.json.decode(request.get_data())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJSON(f"The body is not JSON: {error}.", hint="Send UTF-8 encoded JSON.") from None
    if not isinstance(body, dict):
        raise Invalid(f"The body must be an object, found {type(body).__name__}.")
    return body


def _stop() -> Stop:
    if not request.get_data():
        return Stop()
    try:
        return msgspec.convert(_object(), Stop)
    except msgspec.ValidationError as error:
        raise Invalid(f"{error}.", hint='Send {"winner": "VARIANT"} or nothing.') from None
