"""The OpenAPI document, written by the code that it describes: routes, structs, and who may call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar

import msgspec
from flask import Flask
from msgspec import Struct

from dashboard.guard import auth
from experiments.access import Scope
from experiments.model import Definition
from experiments.service.requests import ChooseRequest, RewardRequest

View = TypeVar("View", bound=Callable[..., Any])


class Problem(Struct, frozen=True):
    """What was wrong, and what to do."""

    code: str
    message: str
    hint: str


class ErrorBody(Struct, frozen=True):
    """The body of every answer from 400 on."""

    error: Problem


class PolicyName(Struct, frozen=True):
    """The policy version that chose."""

    name: str
    version: int


class Choice(Struct, frozen=True):
    """The answer of ``POST /choose``."""

    decision: str | None
    experiment: str
    variant: str
    content: dict[str, Any]
    probability: float | None
    policy: PolicyName | None
    reason: str


class Accepted(Struct, frozen=True):
    """The answer of ``POST /reward``."""

    status: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What the document says of a view beyond its address and its keys."""

    summary: str
    tag: str
    request: type[Struct] | None = None
    response: type[Struct] | None = None
    status: int = 200


HOT: dict[str, Operation] = {
    "/choose": Operation("Choose a variant for a visitor", "visitors", ChooseRequest, Choice),
    "/reward": Operation("Report what a visitor did", "visitors", RewardRequest, Accepted, 202),
}
"""The two calls that are answered in front of Flask."""
STRUCTS = (ChooseRequest, RewardRequest, Choice, Accepted, Definition, ErrorBody)
ERRORS = ("400", "401", "403", "404", "409", "413", "422", "503")


def operation(
    *,
    summary: str,
    tag: str,
    request: type[Struct] | None = None,
    response: type[Struct] | None = None,
    status: int = 200,
) -> Callable[[View], View]:
    """Put the decorated view into the document."""

    def mark(view: View) -> View:
        view.operation = Operation(summary, tag, request, response, status)  # type: ignore[attr-defined]
        return view

    return mark


def document(app: Flask, *, url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the application served at ``url``."""
    _, components = msgspec.json.schema_components(STRUCTS, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {path: {"post": _described(op, Scope.SITE, [])} for path, op in HOT.items()}
    for path, method, described in _views(app):
        paths.setdefault(path, {})[method] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Landit", "version": version("landit"), "description": __doc__ or ""},
        "servers": [{"url": url}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": components, "securitySchemes": _security_schemes()},
    }


def described_rules(app: Flask) -> Iterator[tuple[str, set[str], Operation, str]]:
    """Yield address, methods, description and endpoint of every view that is in the document."""
    for rule in app.url_map.iter_rules():
        found: Operation | None = getattr(app.view_functions[rule.endpoint], "operation", None)
        if found is not None:
            yield rule.rule, (rule.methods or set()) - {"HEAD", "OPTIONS"}, found, rule.endpoint


def _views(app: Flask) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for rule, methods, found, endpoint in described_rules(app):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)
        names = re.findall(r"\{(\w+)\}", path)
        for method in sorted(methods):
            yield path, method.lower(), _described(found, auth.access_of(app, endpoint).scope, names)


def _described(found: Operation, scope: Scope | None, names: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "summary": found.summary,
        "tags": [found.tag],
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names],
        "responses": {str(found.status): _answer("Done.", found.response)}
        | {status: _answer("Refused.", ErrorBody) for status in ERRORS},
    }
    if found.request is not None:
        body["requestBody"] = {"required": True, "content": _content(found.request)}
    if scope is not None:
        body["security"] = [{"bearer": [scope.value]}, {"header": [scope.value]}]
    return body


def _answer(text: str, struct: type[Struct] | None) -> dict[str, Any]:
    return {"description": text, "content": _content(struct)}


def _content(struct: type[Struct] | None) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{struct.__name__}"} if struct else {"type": "object"}
    return {"application/json": {"schema": schema}}


def _security_schemes() -> dict[str, Any]:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A key of the scope named."},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
