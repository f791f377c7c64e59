"""A web worker: the hot path over the published folder and a journal of its own, with Flask behind it."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from dashboard.hot import HotPath
from dashboard.settings import Durability, Settings
from experiments.clock import system_clock
from experiments.journal import Journal
from experiments.published import Watcher
from experiments.secret import Secret
from experiments.service.service import Service

PAGES_SECONDS = 1.0
"""After which the pages are loaded, if nobody asked for one before: until then visitors have the processor."""
SWITCH_SECONDS = 0.001
"""How long a thread that computes may keep another from answering; Python's default is five times that."""


def application() -> WSGIApplication:
    """Build the worker's WSGI application from the environment; called inside the worker's process."""
    settings = Settings.read(os.environ)
    sys.setswitchinterval(SWITCH_SECONDS)
    pages = _Pages(settings)
    hot = HotPath(_service(settings), pages)
    later = threading.Timer(PAGES_SECONDS, pages.build)
    later.daemon = True
    later.start()
    return hot


class _Pages:
    """Flask with the store behind it, imported and built beside the answers to visitors: those need not wait for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._building = threading.Lock()
        self._built: WSGIApplication | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return (self._built or self.build())(environ, start_response)

    def build(self) -> WSGIApplication:
        """Build the application unless that has been done; who comes meanwhile waits."""
        with self._building:
            if self._built is None:
                from dashboard.app import create_app

                self._built = create_app(self._settings)
                gc.collect()
                gc.freeze()  # it stays for ever: searching it for garbage would stop the worker for 50 ms
            return self._built


def _service(settings: Settings) -> Service:
    journal = Journal(settings.journal, system_clock, fsync=settings.durability is Durability.FSYNC)
    service = Service(Secret.load(settings.data, settings.secret), journal, clock=system_clock)
    watcher = Watcher(settings.published, service.swap)
    watcher.start()
    atexit.register(journal.close)
    return service
