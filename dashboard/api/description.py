"""``GET /openapi.json``: the document that describes every call."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from dashboard.api.openapi import document, operation
from dashboard.extension import landit
from dashboard.guard.auth import public

api = Blueprint("description", __name__)


@api.get("/openapi.json")
@public
@operation(summary="This document", tag="about")
def openapi() -> ResponseReturnValue:
    """Return the OpenAPI document."""
    return jsonify(document(current_app, url=landit().settings.url))
