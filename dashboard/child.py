"""A child of ``landit serve``: a web worker or the keeper, which never lives longer than its parent.

Workers share the port. One that outlived its supervisor would go on answering beside the next generation, with an old
state. So each child watches its parent in two ways: it holds the read end of a pipe whose write end only the parent
has, and on Linux it asks for the parent's death to be its own.

    supervisor ── worker (granian's own parent) ── the process that answers
              └── keeper
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
from collections.abc import Mapping
from wsgiref.types import WSGIApplication

from dashboard.settings import Settings

TARGET = "dashboard.child:application"
STOP_SECONDS = 1
"""What a worker has to finish the requests that it began."""
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""BLAS sums in an order that depends on its number of threads; one makes relearning exact (SEMANTICS §5)."""

_PR_SET_PDEATHSIG = 1


def command(role: str, pipe: int) -> list[str]:
    """Return the command line of a child; ``pipe`` is the read end that it inherits."""
    return [sys.executable, "-m", "dashboard.child", role, str(pipe)]


def environment(settings: Settings, env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child."""
    return {**env, **ONE_THREAD, **settings.environment()}


def main() -> None:
    """Run as the child that the command line names."""
    role, pipe = sys.argv[1], int(sys.argv[2])
    die_with_parent(pipe)
    log_to_stderr()
    {"worker": run_worker, "keeper": run_keeper}[role](Settings.read(os.environ))


def log_to_stderr() -> None:
    """Log what our own rooms have to say, and of the libraries only what is wrong."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for room in ("bandit", "experiments", "dashboard"):
        logging.getLogger(room).setLevel(logging.INFO)


def run_worker(settings: Settings) -> None:
    """Serve until the process is told to stop."""
    # Imported before granian forks: a worker that is killed is replaced by a fork, without waiting for imports.
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    import dashboard.worker  # noqa: F401

    Server(
        TARGET,
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.threads,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    ).serve()


def application() -> WSGIApplication:
    """Build the WSGI application, inside the process that answers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        die_with_parent(int(parent.sentinel))
    from dashboard.worker import application as build

    return build()


def run_keeper(settings: Settings) -> None:
    """Keep the data directory until the process is told to stop."""
    from experiments.keeper import Keeper
    from experiments.secret import Secret

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    secret = Secret.load(settings.data, settings.secret)
    keeper = Keeper(settings.store, settings.data, fingerprint=secret.fingerprint, ship_grace=settings.ship_grace)
    keeper.run(stop)
    keeper.close()


def die_with_parent(pipe: int) -> None:
    """End this process as soon as ``pipe`` ends, which is when its writer is gone, whatever it died of."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_with, args=(pipe,), name="parent", daemon=True).start()


def _end_with(pipe: int) -> None:
    select.select([pipe], [], [])
    os._exit(1)


if __name__ == "__main__":
    main()
