"""Who may import whom: the arrows of the house, read from the code with ``ast``.

dashboard  ->  experiments  ->  bandit  ->  numpy, scipy, numba; vowpalwabbit and sklearn in exactly one file each
migrations ->  experiments.tables only             tests -> anything; nothing -> tests
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bandit", "experiments", "dashboard", "migrations")
OURS = {*PACKAGES, "tests"}

MAY_IMPORT = {
    "bandit": {"bandit"},
    "experiments": {"experiments", "bandit"},
    "dashboard": {"dashboard", "experiments", "bandit"},
    "migrations": {"experiments"},
}
LIBRARIES = {
    "bandit": {"numpy", "scipy", "numba", "vowpalwabbit", "sklearn"},
    "experiments": {
        "numpy",
        "numba",
        "msgspec",
        "sqlalchemy",
        "alembic",
        "psycopg",
        "pyarrow",
        "scipy",
        "click",
        "rich",
    },
    "dashboard": {
        *(
            "numpy",
            "msgspec",
            "click",
            "rich",
            "flask",
            "flask_login",
            "flask_wtf",
            "wtforms",
            "werkzeug",
            "markupsafe",
        ),
        *("argon2", "plotly", "granian", "prometheus_client", "jinja2"),
    },
    "migrations": {"alembic", "sqlalchemy"},
}
ONE_FILE_ONLY = {"vowpalwabbit": "bandit/policies/vowpal.py", "sklearn": "bandit/policies/neural.py"}
SQL = {"sqlalchemy", "alembic", "psycopg", "sqlite3"}
SQL_ROOMS = ("experiments/store/", "experiments/tables/", "migrations/")
LONGEST_FILE = 500
LONGEST_FUNCTION = 50


def sources() -> list[Path]:
    """Every Python file of the packages."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports(tree: ast.Module) -> Iterator[str]:
    """The dotted names of the modules that a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring."""
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    documented = 0 if docstring is None else (docstring.end_lineno or 0) - docstring.lineno + 1
    return (function.end_lineno or function.lineno) - function.lineno + 1 - documented


SOURCES = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sources()}


def test_the_search_finds_the_packages() -> None:
    """A test over an empty list of files would pass for ever."""
    assert {name.split("/")[0] for name in SOURCES} == set(PACKAGES)
    assert len(SOURCES) > 40


@pytest.mark.parametrize("name", SOURCES)
def test_imports_follow_the_arrows(name: str) -> None:
    """A file imports only what its package may: its own side of the house, its libraries, the standard library."""
    package = name.split("/")[0]
    for module in imports(SOURCES[name]):
        top = module.split(".")[0]
        if top in OURS:
            assert top in MAY_IMPORT[package], f"{name} imports {module}"
        elif top not in sys.stdlib_module_names:
            assert top in LIBRARIES[package], f"{name} imports the library {top}"
        if top in ONE_FILE_ONLY:
            assert name == ONE_FILE_ONLY[top], f"{top} belongs in {ONE_FILE_ONLY[top]}, found in {name}"
        if package == "migrations" and top == "experiments":
            assert module == "experiments.tables" or module == "experiments", f"{name} imports {module}"


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith(SQL_ROOMS)])
def test_sql_stays_in_the_store(name: str) -> None:
    """Statistics and policies never see SQL, nor do pages."""
    found = {module.split(".")[0] for module in imports(SOURCES[name])} & SQL
    assert not found, f"{name} imports {sorted(found)}; SQL belongs in experiments/store/"


@pytest.mark.parametrize("name", SOURCES)
def test_files_and_functions_can_be_read_at_a_glance(name: str) -> None:
    """What is hard to read is nearly always long."""
    lines = len((ROOT / name).read_text().splitlines())
    assert lines <= LONGEST_FILE, f"{name} has {lines} lines"
    for node in ast.walk(SOURCES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = code_lines(node)
            assert length <= LONGEST_FUNCTION, f"{name}:{node.lineno} {node.name} has {length} lines"
