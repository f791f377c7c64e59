"""Errors as answers: JSON where programs ask, a page where people do; never a bare 500 for what came in wrong."""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from experiments.errors import LanditError, Unauthorized

log = logging.getLogger(__name__)

JSON_PREFIXES = ("/api/", "/decisions/", "/choose", "/reward")
TITLES = {
    400: "That did not arrive whole",
    401: "Please sign in",
    403: "You may not do this",
    404: "There is nothing here",
    405: "That is not possible here",
    409: "Somebody was faster",
    413: "That is too large",
    422: "Something is not right yet",
    429: "Too many attempts",
    503: "Not available right now",
}


def wants_json() -> bool:
    """Whether a program is asking: the paths of the API, and whatever ends in ``.json``."""
    return request.path.startswith(JSON_PREFIXES) or request.path.endswith(".json")


def body(code: str, message: str, hint: str) -> dict[str, dict[str, str]]:
    """Return the one shape of all errors."""
    return {"error": {"code": code, "message": message, "hint": hint}}


def answer(status: int, *, code: str, message: str, hint: str = "") -> Response:
    """Return an error as JSON or as a page."""
    if wants_json():
        response = make_response(jsonify(body(code, message, hint)), status)
    else:
        title = TITLES.get(status, "Something went wrong")
        response = make_response(
            render_template("error.html", status=status, title=title, message=message, hint=hint), status
        )
    if status in {429, 503}:
        response.headers.setdefault("Retry-After", "5")
    if status == Unauthorized.status and wants_json():
        response.headers["WWW-Authenticate"] = 'Bearer realm="landit"'
    return response


def init(app: Flask) -> None:
    """Register a handler for every kind of error."""
    app.register_error_handler(LanditError, _domain)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _defect)


def _domain(error: LanditError) -> Response:
    return answer(error.status, code=error.code, message=error.message, hint=error.hint)


def _csrf(error: CSRFError) -> Response:
    return answer(
        403,
        code="csrf",
        message=f"The form could not be trusted: {error.description}",
        hint="Reload the page and send it again; cookies must be allowed.",
    )


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    code = error.name.lower().replace(" ", "_")
    response = answer(status, code=code, message=error.description or error.name, hint=_http_hint(status))
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _http_hint(status: int) -> str:
    if status == 404 and wants_json():
        return "See /openapi.json for every address."
    return {404: "Check the address, or go back to the experiments."}.get(status, "")


def _defect(error: Exception) -> Response:
    # The request's body and headers stay out of the log: they hold passwords, tokens and keys.
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return answer(
        500,
        code="internal",
        message="Landit made a mistake; it has been logged.",
        hint="Try again; if it stays, send the log to whoever runs this server.",
    )
