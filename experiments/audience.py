"""Who an experiment is for: a condition on the context, compiled once.

Conditions are JSON in the style that GrowthBook users know: ``{"device": "mobile", "hour": {"$gte": 9, "$lt": 18}}``.
All entries of an object must hold. Values of types that do not compare make a comparison false, never an error: what a
visitor sends may not break the page.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

from bandit.types import Context
from experiments.errors import Invalid

Predicate: TypeAlias = Callable[[Context], bool]
_Test: TypeAlias = Callable[[Any], bool]

MAX_DEPTH = 10
MAX_NODES = 1_000
"""Objects, operators and listed values of one condition."""

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def compile_condition(condition: dict[str, Any] | None) -> Predicate:
    """Return the function that tells whether a context fulfils ``condition``; None and ``{}`` are for everybody.

    ``$eq $ne $in $nin $gt $gte $lt $lte $exists`` compare an attribute, ``$and $or`` take a list of conditions,
    ``$not`` one condition or, below an attribute, its operators. An attribute that is missing equals null. An
    attribute that is a list is ``$in`` a list if one of its members is.

    Raises
    ------
    Invalid
        The condition is malformed, deeper than 10 levels or larger than 1,000 nodes; the message holds the path.

    >>> grown_up = compile_condition({"age": {"$gte": 18}, "country": {"$in": ["FR", "DE"]}})
    >>> grown_up({"age": 30, "country": "FR"}), grown_up({"age": "30", "country": "FR"}), grown_up({})
    (True, False, False)
    """
    if condition is None:
        return _everybody
    return _Compiler().condition(condition, "audience", 1)


class _Compiler:
    """Compiles one condition, counting its nodes."""

    def __init__(self) -> None:
        self._nodes = 0

    def condition(self, node: Any, path: str, depth: int) -> Predicate:
        """Compile an object whose keys are attributes, ``$and``, ``$or`` or ``$not``."""
        parts = [self._entry(key, value, f"{path}.{key}", depth) for key, value in self._object(node, path, depth)]
        return _all(parts) if parts else _everybody

    def _entry(self, key: str, value: Any, path: str, depth: int) -> Predicate:
        if key == "$and":
            return _all(self._conditions(value, path, depth))
        if key == "$or":
            return _any(self._conditions(value, path, depth))
        if key == "$not":
            return _negated(self.condition(value, path, depth + 1))
        if key.startswith("$"):
            raise _wrong(path, f"{key} does not stand alone", "Use $and, $or, $not or the name of an attribute.")
        test = self._test(value, path, depth)
        return lambda context: test(context.get(key))

    def _conditions(self, nodes: Any, path: str, depth: int) -> list[Predicate]:
        items = self._list(nodes, path)
        return [self.condition(node, f"{path}[{i}]", depth + 1) for i, node in enumerate(items)]

    def _test(self, value: Any, path: str, depth: int) -> _Test:
        """Compile what is asked of one attribute: a plain value, or an object of operators."""
        if not isinstance(value, dict):
            return _equals(self._scalar(value, path))
        tests = [
            self._operator(key, item, f"{path}.{key}", depth + 1) for key, item in self._object(value, path, depth)
        ]
        if not tests:
            raise _wrong(path, "an empty object asks nothing", "Give a value or an operator such as $eq.")
        return _all(tests)

    def _operator(self, name: str, operand: Any, path: str, depth: int) -> _Test:
        if name in _ORDERS:
            return _orders(_ORDERS[name], self._ordered(operand, path))
        match name:
            case "$eq":
                return _equals(self._scalar(operand, path))
            case "$ne":
                return _negated(_equals(self._scalar(operand, path)))
            case "$in":
                return _among(self._scalars(operand, path))
            case "$nin":
                return _negated(_among(self._scalars(operand, path)))
            case "$exists":
                return _exists(self._flag(operand, path))
            case "$not":
                return _negated(self._test(operand, path, depth))
        raise _wrong(path, f"{name} is not an operator", "Use $eq $ne $in $nin $gt $gte $lt $lte $exists or $not.")

    def _object(self, node: Any, path: str, depth: int) -> list[tuple[str, Any]]:
        if depth > MAX_DEPTH:
            raise _wrong(path, f"deeper than {MAX_DEPTH} levels", "Simplify the condition.")
        if not isinstance(node, dict):
            raise _wrong(path, f"expected an object, found {_shown(node)}", "Write it as {attribute: value}.")
        self._count(len(node), path)
        return list(node.items())

    def _list(self, node: Any, path: str) -> list[Any]:
        if not isinstance(node, list) or not node:
            raise _wrong(path, f"expected a list with something in it, found {_shown(node)}", "Write it as [...].")
        self._count(len(node), path)
        return node

    def _scalars(self, node: Any, path: str) -> list[Any]:
        return [self._scalar(item, f"{path}[{i}]") for i, item in enumerate(self._list(node, path))]

    def _scalar(self, value: Any, path: str) -> Any:
        if value is None or isinstance(value, str | bool | int | float):
            return value
        raise _wrong(path, f"expected a text, a number, true, false or null, found {_shown(value)}", "")

    def _ordered(self, value: Any, path: str) -> Any:
        if _kind(value) in (str, float):
            return value
        raise _wrong(path, f"expected a number or a text, found {_shown(value)}", "Only these have an order.")

    def _flag(self, value: Any, path: str) -> bool:
        if isinstance(value, bool):
            return value
        raise _wrong(path, f"expected true or false, found {_shown(value)}", "")

    def _count(self, nodes: int, path: str) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _wrong(path, f"the condition has more than {MAX_NODES} nodes", "Simplify the condition.")


def _kind(value: Any) -> type:
    """Values compare within a kind: numbers with numbers, and true is not 1."""
    return float if type(value) is int else type(value)


def _everybody(context: Context) -> bool:  # noqa: ARG001 - a predicate takes a context
    return True


def _all(tests: list[Callable[[Any], bool]]) -> Callable[[Any], bool]:
    return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)


def _any(tests: list[Callable[[Any], bool]]) -> Callable[[Any], bool]:
    return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)


def _negated(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: not test(value)


def _equals(operand: Any) -> _Test:
    kind = _kind(operand)
    return lambda value: value == operand and _kind(value) is kind


def _among(operands: list[Any]) -> _Test:
    members = {(_kind(operand), operand) for operand in operands}

    def test(value: Any) -> bool:
        if isinstance(value, list):
            return any((str, item) in members for item in value)
        return (_kind(value), value) in members

    return test


def _orders(holds: Callable[[Any, Any], bool], operand: Any) -> _Test:
    kind = _kind(operand)
    return lambda value: _kind(value) is kind and holds(value, operand)


def _exists(wanted: bool) -> _Test:
    return lambda value: (value is not None) is wanted


def _shown(value: Any) -> str:
    return repr(value)[:60]


def _wrong(path: str, problem: str, hint: str) -> Invalid:
    return Invalid(f"{path}: {problem}", hint=hint)
