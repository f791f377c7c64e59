"""A web worker: the hot path over the published folder and a journal of its own, with Flask behind it."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from wsgiref.types import WSGIApplication

from dashboard.app import create_app
from dashboard.hot import HotPath
from dashboard.settings import Durability, Settings
from experiments.clock import system_clock
from experiments.journal import Journal
from experiments.published import Watcher
from experiments.secret import Secret
from experiments.service.service import Service

SWITCH_SECONDS = 0.001
"""How long a thread that computes may keep another from answering; Python's default is five times that."""


def application() -> WSGIApplication:
    """Build the worker's WSGI application from the environment; called inside the worker's process."""
    settings = Settings.read(os.environ)
    sys.setswitchinterval(SWITCH_SECONDS)
    hot = HotPath(_service(settings), create_app(settings))
    gc.collect()
    gc.freeze()  # what is loaded now stays for ever: searching it for garbage would stop the worker for 50 ms
    return hot


def _service(settings: Settings) -> Service:
    journal = Journal(settings.journal, system_clock, fsync=settings.durability is Durability.FSYNC)
    service = Service(Secret.load(settings.data, settings.secret), journal, clock=system_clock)
    watcher = Watcher(settings.published, service.swap)
    watcher.start()
    atexit.register(journal.close)
    return service
