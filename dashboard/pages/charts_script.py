"""Plotly's script, served from its Python package, and nothing from anybody else's server."""

from __future__ import annotations

from flask import Blueprint, Response, abort, request

from dashboard import assets
from dashboard.guard.auth import public

pages = Blueprint("charts_script", __name__)


@pages.get("/assets/plotly-<digest>.js")
@public
def script(digest: str) -> Response:
    """Serve the bundle under the address that holds its hash."""
    bundle = assets.plotly()
    if digest != bundle.digest:
        abort(404)
    if request.accept_encodings.quality("gzip") > 0:
        response = Response(bundle.packed, content_type="text/javascript; charset=utf-8")
        response.headers["Content-Encoding"] = "gzip"
    else:
        response = Response(bundle.plain(), content_type="text/javascript; charset=utf-8")
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
