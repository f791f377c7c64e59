"""``landit serve``: make the store ready, then supervise the web workers and the keeper until told to stop."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPException
from types import FrameType

import click

from dashboard.server import child
from dashboard.server.supervisor import Supervisor
from dashboard.settings import Settings
from experiments.errors import Conflict
from experiments.keeper.lock import FileLock
from experiments.published import has_catalog
from experiments.secret import Secret

CHILD_STOP_SECONDS = 2.2
"""Workers and then the keeper: less than five seconds together."""
HEAD_START_SECONDS = 5.0
"""How long workers may take to be ready before the store is looked at all the same."""
PORT_SECONDS = 2.0
"""How long the last generation's workers may take to give the port back."""


def serve(settings: Settings, on_ready: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Parameters
    ----------
    settings
        From :meth:`Settings.read`.
    on_ready
        Called once, on a thread of its own, when ``/readyz`` answers 200.

    Raises
    ------
    Conflict
        Another server holds the data directory or the port.
    StoreError
        The store is of a newer version, or belongs to another secret.
    Unavailable
        The database is down, and nothing was published yet that could be served without it.
    """
    child.log_to_stderr()
    lock = FileLock(settings.data / "serve.lock")
    if not lock.acquire():
        raise Conflict(
            f"the data folder {settings.data} is being served already.", hint="Stop that server, or give --data."
        )
    try:
        # Refused or made here, once, before every child reads it.
        Secret.load(settings.data, settings.secret).require(settings.data)
        _require_port(settings)
        _supervise(settings, lock, on_ready)
    finally:
        lock.release()


def _announce(settings: Settings, link: str | None) -> None:
    click.echo(f"Landit serves {settings.url} (data in {settings.data})")
    if link is not None:
        click.echo(f"Sign in as {settings.admin}, once, within 24 hours: {link}")


def _supervise(settings: Settings, lock: FileLock, on_ready: Callable[[], None] | None) -> None:
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    worker = ("worker", partial(child.run_worker, settings))
    supervisor = Supervisor(
        [worker] * settings.workers + [("keeper", partial(child.run_keeper, settings))],
        stop_seconds=CHILD_STOP_SECONDS,
        after_fork=lock.release,
    )
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with supervisor:
            if has_catalog(settings.published):
                supervisor.start("worker")  # what was published can be served while the store is looked at
                _wait_until_ready(settings)
            from dashboard.server.doorstep import prepare  # only now: with it come the store and its driver

            _announce(settings, prepare(settings))
            supervisor.run(stop, between=_Herald(settings, on_ready).look)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Herald:
    """Tells once that the server is ready."""

    def __init__(self, settings: Settings, on_ready: Callable[[], None] | None) -> None:
        self._settings = settings
        self._on_ready = on_ready

    def look(self) -> None:
        if self._on_ready is not None and is_ready(self._settings.host, self._settings.port):
            threading.Thread(target=self._on_ready, name="ready", daemon=True).start()
            self._on_ready = None


def _wait_until_ready(settings: Settings) -> None:
    """Leave the processor to the workers: on a busy machine what is loaded meanwhile would double their start."""
    deadline = time.monotonic() + HEAD_START_SECONDS
    while time.monotonic() < deadline and not is_ready(settings.host, settings.port):
        time.sleep(0.02)


def is_ready(host: str, port: int) -> bool:
    """Whether ``/readyz`` answers 200 there."""
    connection = HTTPConnection(_reachable(host), port, timeout=0.5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what to ask, not where to listen


def _require_port(settings: Settings) -> None:
    """Refuse a port that somebody listens on: workers share it among themselves, so the kernel would not refuse."""
    deadline = time.monotonic() + PORT_SECONDS
    while (problem := _port_problem(settings.host, settings.port)) is not None:
        if time.monotonic() >= deadline:
            raise Conflict(
                f"cannot listen on {settings.host} port {settings.port}: {problem}.", hint="Give another --port."
            )
        time.sleep(0.05)


def _port_problem(host: str, port: int) -> str | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None
