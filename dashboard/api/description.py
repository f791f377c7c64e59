"""``GET /openapi.json``: the document that describes every call."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from dashboard.auth import public
from dashboard.extension import landit
from dashboard.openapi import document, operation

api = Blueprint("description", __name__)


@api.get("/openapi.json")
@public
@operation(summary="This document", tag="about")
def openapi() -> ResponseReturnValue:
    """Return the OpenAPI document."""
    return jsonify(document(current_app, url=landit().settings.url))
