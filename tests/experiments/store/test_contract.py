"""The contract of the store, on SQLite and on PostgreSQL: every room of ``tests/store``.

It holds every rule of SEMANTICS that the store keeps, as named checks. Another kind of store joins by giving the
fixtures ``store``, ``clock`` and ``sites``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

RULES = 72
ROOMS = {path.stem for path in (Path(__file__).parents[2] / "store").glob("*.py")} - {"made"}
CONTRACTS = {
    name.removesuffix("Contract"): contract
    for room in sorted(ROOMS)
    for name, contract in vars(import_module(f"tests.store.{room}")).items()
    if name.endswith("Contract")
}
globals().update({f"Test{name}": type(f"Test{name}", (contract,), {}) for name, contract in CONTRACTS.items()})


def test_every_room_is_here() -> None:
    """A contract that is not found would pass for ever."""
    rooms = {"access", "analysing", "experiments", "leadership", "measuring", "open_rows", "rows", "shipping"}
    assert rooms == ROOMS
    assert {contract.__module__.rpartition(".")[2] for contract in CONTRACTS.values()} == rooms
    assert len(CONTRACTS) == 9
    assert sum(rule.startswith("test_") for contract in CONTRACTS.values() for rule in vars(contract)) == RULES
