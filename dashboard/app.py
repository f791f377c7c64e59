"""The Flask application behind the hot path: the marketer's pages and the admin API. Nothing happens at import."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from dashboard import api, errors, pages
from dashboard.extension import EXTENSION, Landit
from dashboard.guard import auth, headers
from dashboard.settings import Settings
from experiments.clock import system_clock
from experiments.model import Micros
from experiments.secret import Secret

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes: 200 variants with content fit many times over."""


def create_app(settings: Settings, *, clock: Callable[[], Micros] = system_clock) -> Flask:
    """Build the application of one process.

    The store is opened by the first request that needs it, so that an engine is never carried over a fork and a
    database that is away keeps nothing from starting.

    Parameters
    ----------
    settings
        From :meth:`Settings.read`.
    clock
        Microseconds since 1970 UTC.
    """
    app = Flask(__name__)
    secret = Secret.load(settings.data, settings.secret)
    app.config.from_mapping(configuration(settings, secret))
    app.extensions[EXTENSION] = Landit(settings, secret, clock=clock)
    if settings.url.startswith("https"):
        # TLS ends at one proxy in front of us: its word on scheme and address is needed for origins and for throttling.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    for part in (headers, errors, auth, pages, api):
        part.init(app)
    return app


def configuration(settings: Settings, secret: Secret) -> dict[str, Any]:
    """Flask's configuration: cookies that scripts and other sites cannot use, and bounded bodies."""
    secure = settings.url.startswith("https")
    return {
        "SECRET_KEY": secret.session_key,
        "SESSION_COOKIE_NAME": "__Host-landit" if secure else "landit",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
        "SEND_FILE_MAX_AGE_DEFAULT": timedelta(days=365),
        "MAX_CONTENT_LENGTH": LARGEST_BODY,
        "MAX_FORM_MEMORY_SIZE": LARGEST_BODY,
        "MAX_FORM_PARTS": 5_000,
        "WTF_CSRF_CHECK_DEFAULT": False,  # auth.guard calls it, so that API keys need no token
        "WTF_CSRF_TIME_LIMIT": None,  # a token lives as long as its session
    }
