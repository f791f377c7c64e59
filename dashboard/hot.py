"""The hot path: ``/choose`` and ``/reward`` as a bare WSGI callable; whatever is not here falls through to Flask.

A Flask view costs six times the CPU of the server itself; a callable in front of it costs nothing measurable.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec

from dashboard.metrics import exposition
from experiments.access import APIKey, Scope
from experiments.errors import Forbidden, LanditError, TooLarge, Unauthorized
from experiments.service.requests import BODY_BYTES, decode_choose, decode_reward
from experiments.service.service import Service

Headers: TypeAlias = list[tuple[str, str]]
_Walk: TypeAlias = Callable[[bytes, Scope], bytes]

_JSON: Headers = [("Content-Type", "application/json")]
_STATUS = {
    200: "200 OK",
    202: "202 Accepted",
    400: "400 Bad Request",
    401: "401 Unauthorized",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    409: "409 Conflict",
    413: "413 Content Too Large",
    422: "422 Unprocessable Content",
    500: "500 Internal Server Error",
    503: "503 Service Unavailable",
}
_EXTRA: dict[int, Headers] = {
    401: [("WWW-Authenticate", 'Bearer realm="landit"')],
    405: [("Allow", "POST, OPTIONS")],
    503: [("Retry-After", "1")],
}
_PREFLIGHT: Headers = [
    ("Access-Control-Allow-Methods", "POST"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-API-Key"),
    ("Access-Control-Max-Age", "86400"),
    ("Vary", "Origin"),
]
_BEARER = ("Bearer ", "bearer ")
_ACCEPTED = b'{"status":"accepted"}'
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class _WrongMethodError(LanditError):
    """This address takes POST only."""

    status, code = 405, "method_not_allowed"


_OUR_MISTAKE = LanditError("Landit made a mistake; it has been logged.", hint="Try again.", code="internal")


class HotPath:
    """The WSGI application of a worker.

    Parameters
    ----------
    service
        What chooses and takes rewards.
    pages
        The application behind: whatever the hot path does not answer goes there.
    """

    def __init__(self, service: Service, pages: WSGIApplication) -> None:
        self._service = service
        self._pages = pages
        # Plain increments: between reading and storing an entry the interpreter does not switch threads.
        self._answers: Counter[tuple[str, int]] = Counter()
        self._posts: dict[str, tuple[_Walk, int]] = {"/choose": (self._choose, 200), "/reward": (self._reward, 202)}
        self._gets: dict[str, Callable[[StartResponse], Iterable[bytes]]] = {
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/metrics": self._metrics,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        post = self._posts.get(path)
        if post is None:
            get = self._gets.get(path)
            return self._pages(environ, start_response) if get is None else get(start_response)
        walk, status = post
        headers = _JSON
        try:
            if environ["REQUEST_METHOD"] != "POST":
                return self._preflight(environ, start_response)
            body: bytes = environ["wsgi.input"].read(BODY_BYTES + 1)
            if len(body) > BODY_BYTES:  # no more of it than that is read
                raise TooLarge(f"the body is larger than {BODY_BYTES} bytes", hint="Send less.")
            answer = walk(body, self._authorized(environ).scope)
        except LanditError as error:
            status, headers, answer = _refusal(error)
        except Exception:
            _log.exception("%s failed", path)
            status, headers, answer = _refusal(_OUR_MISTAKE)
        if "HTTP_ORIGIN" in environ:
            headers = headers + self._cross_origin(environ)
        self._answers[path, status] += 1
        start_response(_STATUS[status], headers)
        return [answer]

    def _preflight(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method != "OPTIONS":
            raise _WrongMethodError(f"{environ['PATH_INFO']} takes POST, not {method}")
        start_response("204 No Content", self._cross_origin(environ) + _PREFLIGHT)
        return []

    def _choose(self, body: bytes, scope: Scope) -> bytes:
        return self._service.choose(decode_choose(body), scope=scope)

    def _reward(self, body: bytes, scope: Scope) -> bytes:
        self._service.reward(decode_reward(body), scope=scope)
        return _ACCEPTED

    # -- who is asking ------------------------------------------------------------------------------------------

    def _authorized(self, environ: WSGIEnvironment) -> APIKey:
        bearer = environ.get("HTTP_AUTHORIZATION", "")
        if bearer[:7] in _BEARER and "HTTP_ORIGIN" not in environ:
            return self._service.key(bearer)
        text, public = _key_text(environ)
        key = self._service.key(text)
        if public and key.scope is not Scope.SITE:
            raise Forbidden(
                f"a {key.scope} key may not stand in an address", hint="Send it in a header; replace it now."
            )
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and key.origins and origin not in key.origins:
            raise Forbidden(
                f"the key is not for the origin {origin!r}", hint="Add the origin to the key.", code="origin"
            )
        return key

    def _cross_origin(self, environ: WSGIEnvironment) -> Headers:
        """Headers by which a browser lets a page of that origin read the answer."""
        origin, known = environ.get("HTTP_ORIGIN"), self._service.origins
        if "*" in known:
            return [("Access-Control-Allow-Origin", "*")]
        return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")] if origin in known else []

    # -- what machines watch ------------------------------------------------------------------------------------

    def _health(self, start_response: StartResponse) -> Iterable[bytes]:
        start_response(_STATUS[200], _JSON)
        return [b'{"status":"ok"}']

    def _readiness(self, start_response: StartResponse) -> Iterable[bytes]:
        ready = self._service.ready
        start_response(_STATUS[200 if ready else 503], _JSON if ready else _JSON + _EXTRA[503])
        return [b'{"status":"ready"}' if ready else b'{"status":"nothing is published yet"}']

    def _metrics(self, start_response: StartResponse) -> Iterable[bytes]:
        text, content_type = exposition(self._service, self._answers)
        start_response(_STATUS[200], [("Content-Type", content_type)])
        return [text]


def _key_text(environ: WSGIEnvironment) -> tuple[str, bool]:
    """The key as sent, and whether it stood in the address, where only a publishable one may stand."""
    bearer = environ.get("HTTP_AUTHORIZATION", "")
    if bearer[:7] in _BEARER:
        return bearer, False
    key = environ.get("HTTP_X_API_KEY")
    if key is not None:
        return key, False
    keys = parse_qs(environ.get("QUERY_STRING", "")).get("key")
    if not keys:
        raise Unauthorized("there is no API key", hint="Send `Authorization: Bearer KEY`.")
    return keys[0], True


def _refusal(error: LanditError) -> tuple[int, Headers, bytes]:
    body = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    return error.status, _JSON + _EXTRA.get(error.status, []), _encode(body)
