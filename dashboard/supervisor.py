"""The supervisor: starts children, starts each again when it dies, and takes all of them with it when it ends."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

POLL_SECONDS = 0.05
HEALTHY_SECONDS = 2.0
"""A child that lived this long is started again at once, one that did not a little later each time."""
DELAYS = (0.0, 0.1, 0.5, 1.0, 2.0)

_log = logging.getLogger(__name__)


@dataclass
class Child:
    """One place in the family, and the process that fills it now."""

    role: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    """In a row, each soon after its start."""
    due: float = field(default=0.0)
    """When it may be started again."""


class Supervisor:
    """Keeps children alive.

    Parameters
    ----------
    roles
        In the order in which they are started and stopped: what comes first is gone before the next is told to go.
    command
        Returns the command line for a role and for the descriptor of the pipe that tells a child of our death.
    env
        The environment of every child.
    stop_seconds
        What each child has to end by itself when told to.
    """

    def __init__(
        self,
        roles: Sequence[str],
        command: Callable[[str, int], list[str]],
        *,
        env: Mapping[str, str],
        stop_seconds: float,
    ) -> None:
        self.children = [Child(role) for role in roles]
        self._command = command
        self._env = dict(env)
        self._stop_seconds = stop_seconds
        self._pipe, self._writer = os.pipe()  # nobody ever writes: that the write end closes is the message

    def run(self, stop: threading.Event) -> None:
        """Keep the children alive until ``stop`` is set, then end them."""
        try:
            while not stop.is_set():
                for child in self.children:
                    self._tend(child)
                stop.wait(POLL_SECONDS)
        finally:
            self._end()

    def _tend(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None and child.process.poll() is not None:
            self._bury(child, now)
        if child.process is None and now >= child.due:
            child.process = subprocess.Popen(  # noqa: S603 - our own command line
                self._command(child.role, self._pipe), env=self._env, pass_fds=[self._pipe]
            )
            child.started = now

    def _bury(self, child: Child, now: float) -> None:
        code = child.process.returncode if child.process is not None else None
        child.process = None
        child.deaths = 0 if now - child.started >= HEALTHY_SECONDS else child.deaths + 1
        child.due = now + DELAYS[min(child.deaths, len(DELAYS) - 1)]
        _log.warning("%s ended with %s; it is started again", child.role, code)

    def _end(self) -> None:
        for role in dict.fromkeys(child.role for child in self.children):
            processes = [child.process for child in self.children if child.role == role and child.process is not None]
            for process in processes:
                process.terminate()
            deadline = time.monotonic() + self._stop_seconds
            for process in processes:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        os.close(self._writer)
        os.close(self._pipe)
