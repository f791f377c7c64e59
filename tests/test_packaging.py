"""What a person gets who installs the wheel, and what the repository promises of itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP_LEVEL = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile"}
FOLDERS = {"bandit", "experiments", "dashboard", "migrations", "tests", "docs"}


def tracked() -> list[str]:
    """The files that git tracks."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listing.stdout.splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names inside a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(path).namelist())


def test_the_wheel_carries_all_that_the_packages_need(wheel: set[str]) -> None:
    """Migrations, templates, styles, scripts and worlds are inside: an installed Landit needs no checkout."""
    packages = ("bandit/", "experiments/", "dashboard/", "migrations/")
    missing = {name for name in tracked() if name.startswith(packages)} - wheel
    assert not missing
    assert any(re.fullmatch(r"migrations/versions/.+\.py", name) for name in wheel)


def test_the_wheel_carries_nothing_else(wheel: set[str]) -> None:
    """No test, no document and no tool of the repository is installed."""
    assert {name.split("/")[0].split("-")[0] for name in wheel} == {
        "bandit",
        "experiments",
        "dashboard",
        "migrations",
        "landit",
    }


def test_the_top_level_is_a_glance() -> None:
    """The top of the tree holds what the README names, and dotfiles."""
    tops = {name.split("/")[0] for name in tracked()}
    assert {top for top in tops if not top.startswith(".")} <= TOP_LEVEL | FOLDERS


def test_every_locked_version_has_its_hash() -> None:
    """An install takes the very files that were tested, or fails."""
    for lock in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / ".ci" / lock).read_text()
        for requirement in re.split(r"\n(?=[a-z])", text.strip()):
            assert re.match(r"[a-z0-9._-]+==\S+", requirement), requirement
            assert "--hash=sha256:" in requirement, requirement


def test_direct_dependencies_stay_few() -> None:
    """A reader can know every library that Landit stands on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert len(project["dependencies"]) <= 25
