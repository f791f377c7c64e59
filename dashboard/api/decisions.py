"""``GET /decisions/ID``: one decision, and what became of its rewards. Needs a server key."""

from __future__ import annotations

import re

import msgspec
from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from dashboard.api.openapi import operation
from dashboard.extension import landit, store
from dashboard.guard.auth import allow
from experiments.access import Scope
from experiments.report.values import iso
from experiments.service.tokens import verify

api = Blueprint("decisions", __name__, url_prefix="/decisions")


@api.get("/<decision>")
@allow(scope=Scope.SERVER)
@operation(summary="Read a decision by its id, or by the token that the site was given", tag="decisions")
def read(decision: str) -> ResponseReturnValue:
    """Return the decision as it was logged, with the fate of every reward."""
    plain = decision.replace("-", "").lower()
    found = store().decision(plain if re.fullmatch("[0-9a-f]{32}", plain) else _of_token(decision))
    logged = found.decision
    return jsonify(
        {
            "decision": logged.decision,
            "experiment": found.experiment,
            **{name: getattr(logged, name) for name in ("version", "phase", "unit", "variant", "probability")},
            "time": iso(logged.time),
            "distribution": dict(zip(logged.variants, logged.distribution.tolist(), strict=True)),
            "policy": {"name": logged.policy, "version": logged.policy_version},
            **{name: getattr(logged, name) for name in ("reason", "analysis", "seq", "request_id")},
            "context": dict(logged.context),
            "repeat_of": found.repeat_of,
            "rewards": [msgspec.to_builtins(reward) | {"time": iso(reward.time)} for reward in found.rewards],
        }
    )


def _of_token(token: str) -> str:
    return verify(token, landit().secret).decision
