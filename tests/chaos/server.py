"""Ways to hurt a real server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from enum import StrEnum

import psutil

from tests import serving
from tests.serving import PATIENCE, until


class Victim(StrEnum):
    """What is killed by ``kill -9``."""

    WORKER = "worker"
    KEEPER = "keeper"
    SUPERVISOR = "supervisor"
    GROUP = "group"


class Server(serving.Server):
    """``landit serve``, parts of which are killed."""

    def kill(self, victim: Victim) -> float:
        """Kill, see that no orphan answers, bring the server back; returns the seconds until it is ready again."""
        if victim in (Victim.WORKER, Victim.KEEPER):
            return self._kill_child(victim)
        if victim is Victim.SUPERVISOR:
            self.process.kill()
        else:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        until(lambda: not self.answers(), "no orphan answers")
        return self.start()

    def _kill_child(self, victim: Victim) -> float:
        process = self.answering() if victim is Victim.WORKER else self._child("keeper")
        process.kill()
        began = time.monotonic()
        until(lambda: not _alive(process) and self.ready() and _alive(self._child("keeper")), f"the {victim} is back")
        return time.monotonic() - began

    def answering(self) -> psutil.Process:
        """The process that answers: the child of granian's own parent."""
        return _first(lambda: self._child("worker").children(), "the worker answers")

    def _child(self, role: str) -> psutil.Process:
        family = psutil.Process(self.process.pid)
        return _first(lambda: [child for child in family.children() if _role(child) == role], f"there is a {role}")


def _first(find: Callable[[], list[psutil.Process]], what: str) -> psutil.Process:
    """Wait for a living process."""
    found: list[psutil.Process] = []

    def look() -> bool:
        found[:] = [process for process in find() if _alive(process)]
        return bool(found)

    until(look, what)
    return found[0]


def _role(process: psutil.Process) -> str:
    try:
        name: str = process.name()
    except psutil.Error:
        return ""
    return name.removeprefix("landit-")


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
