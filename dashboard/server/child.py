"""A child of ``landit serve``: a web worker or the keeper, which never lives longer than its parent.

Workers share the port. One that outlived its supervisor would go on answering beside the next generation, with an old
state. So each child watches its parent in two ways: it holds the read end of a pipe whose write end only the parent
has, and on Linux it asks for the parent's death to be its own.

    supervisor ── worker (granian's own parent) ── the process that answers
              └── keeper

Children are forks of a supervisor that has imported already what answers visitors: a new one is there at once, and
they share its memory. So nothing here may open a connection or start a thread when it is imported.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import select
import signal
import sys
import threading
from wsgiref.types import WSGIApplication

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from dashboard.server.worker import application as build_application
from dashboard.settings import Settings
from experiments.secret import Secret

STOP_SECONDS = 1
"""What a worker has to finish the requests that it began."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def run_worker(settings: Settings, pipe: int) -> None:
    """Serve until the process is told to stop."""
    _be("worker", pipe)
    os.environ.update(settings.environment())
    Server(
        "dashboard.server.child:application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.threads,
        websockets=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    ).serve()


def application() -> WSGIApplication:
    """Build the WSGI application, inside the process that answers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        _be("answer", int(parent.sentinel))
    return build_application()


def run_keeper(settings: Settings, pipe: int) -> None:
    """Keep the data directory until the process is told to stop."""
    _be("keeper", pipe)
    from experiments.keeper.keeper import Keeper  # here: with it comes the store, which no worker waits for

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    secret = Secret.load(settings.data, settings.secret)
    keeper = Keeper(settings.store, settings.data, fingerprint=secret.fingerprint, ship_grace=settings.ship_grace)
    keeper.run(stop)
    keeper.close()


def _be(role: str, pipe: int) -> None:
    """Take a name that ``ps`` shows, and end as soon as ``pipe`` does: when its writer is gone, whatever of."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NAME, f"landit-{role}".encode())
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_with, args=(pipe,), name="parent", daemon=True).start()


def _end_with(pipe: int) -> None:
    select.select([pipe], [], [])
    os._exit(1)


def log_to_stderr() -> None:
    """Log what our own rooms have to say, and of the libraries only what is wrong."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for room in ("bandit", "experiments", "dashboard"):
        logging.getLogger(room).setLevel(logging.INFO)
