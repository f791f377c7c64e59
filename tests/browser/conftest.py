"""A real server, and a page of a real browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page
from werkzeug.serving import WSGIRequestHandler, make_server

from dashboard.app import create_app
from dashboard.settings import Settings
from experiments.access import UserRole
from experiments.clock import system_clock
from experiments.store import Store


class Quiet(WSGIRequestHandler):
    """Keeps requests out of the test's output."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application, served on a free port under ``app.config["URL"]``."""
    built: list[Flask] = []

    def dispatch(environ: Any, start: Any) -> Any:
        """Answer as a whole: the server leaves a file open where a browser goes away while it is being sent."""
        answer = built[0](environ, start)  # the application needs to know the port that the server got
        with closing(answer):
            return list(answer)

    server = make_server("127.0.0.1", 0, dispatch, threaded=True, request_handler=Quiet)
    settings = Settings.read({}, data=tmp_path, store=sqlite_url, port=server.port)
    built.append(create_app(settings))
    built[0].config["URL"] = settings.url
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield built[0]
    server.shutdown()
    thread.join()
    server.server_close()
    built[0].extensions["landit"].close()


@pytest.fixture
def kept(site: Flask) -> Store:
    """The served application's store."""
    store: Store = site.extensions["landit"].store
    return store


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of: refused scripts and styles, errors of scripts."""
    return []


@pytest.fixture
def page(open_page: Callable[[str], Page], site: Flask, complaints: list[str]) -> Iterator[Page]:
    """A page of a browser without a past."""
    opened = open_page(site.config["URL"])
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield opened
    opened.context.close()


@pytest.fixture
def inside(page: Page, site: Flask, kept: Store) -> Page:
    """The same page, signed in by a cookie: the door itself has its own test."""
    user = kept.add_user("ann@example.com", role=UserRole.ADMIN)
    now = system_clock()
    value = site.session_interface.get_signing_serializer(site).dumps(  # type: ignore[attr-defined]
        {"_user_id": user.email, "since": now, "seen": now, "epoch": user.sessions, "_permanent": True}
    )
    page.context.add_cookies([{"name": "landit", "value": value, "url": site.config["URL"]}])
    return page
