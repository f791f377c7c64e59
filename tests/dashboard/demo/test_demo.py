from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dashboard.demo.scenarios import scenarios
from experiments.clock import system_clock
from experiments.report import build_report
from experiments.store import Store
from tests.serving import PATIENCE, clean_environment, free_port, listens


@dataclass(frozen=True)
class Demo:
    """A demo in a process of its own, without a package registry."""

    process: subprocess.Popen[str]
    data: Path
    port: int

    def listens(self) -> bool:
        """Whether anybody answers on its port."""
        return listens(self.port)


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    """A demo with the options that the test asks for by its marker's parameter."""
    port = free_port()
    environment = {name: value for name, value in clean_environment().items() if not name.startswith("PIP_")}
    command = [sys.executable, "-c", "from dashboard.demo.command import demo; demo()"]
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path), "--port", str(port), *request.param],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment | {"PIP_NO_INDEX": "1"},
    )
    yield Demo(process, tmp_path, port)
    if process.poll() is None:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("demo", [["--visitors", "90", "--rate", "100"]], indirect=True)
def test_a_bounded_demo_plays_and_ends(demo: Demo) -> None:
    """It prints address and sign-in, says that the real log is left out, serves every visitor, and ends by itself."""
    said, _ = demo.process.communicate(timeout=PATIENCE)
    assert demo.process.returncode == 0, said
    assert f"http://127.0.0.1:{demo.port}/signin/" in said
    assert "Real log: left out, the rest goes on." in said
    assert "Simulated: " in said
    assert not demo.listens()
    store = Store.open(f"sqlite:///{demo.data / 'landit.db'}", clock=system_clock)
    try:
        for scenario in scenarios():
            report = build_report(store, store.experiment(scenario.key), now=system_clock())
            assert (report.simulated, report.decisions) == (True, 30)
        keys = store.keys()
        assert [key.revoked is not None for key in keys] == [True]
    finally:
        store.close()


@pytest.mark.parametrize("demo", [[]], indirect=True)
def test_ctrl_c_stops_everything(demo: Demo) -> None:
    """After Ctrl-C the demo ends in good order and nobody answers any more."""
    assert demo.process.stdout is not None
    for line in demo.process.stdout:
        if line.startswith("Simulated: "):
            break
    assert demo.listens()
    demo.process.send_signal(signal.SIGINT)
    rest, _ = demo.process.communicate(timeout=PATIENCE)
    assert demo.process.returncode == 0, rest
    assert "Traceback" not in rest
    assert not demo.listens()
