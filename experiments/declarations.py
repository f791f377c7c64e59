"""What an experiment declares of visitors and of its variants: names, types, interactions, and how wide all that is."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from bandit.features import Attribute, Schema
from bandit.validation import InvalidInput
from experiments.contenders import sees_context
from experiments.errors import Invalid, wrong
from experiments.model import KEY, MAX_ATTRIBUTES, Definition

MAX_COLUMNS = 500
"""Of a context's vector, and of a variant's: what linear policies keep grows with its square."""

MAX_NUMBERS = 8_000_000
"""Of a linear policy's state: variants times the square of a context's columns, 64 MB."""
MAX_PAIRS = 2_000
"""Columns of a context times those of a variant: policies that share keep the square of it, 32 MB."""

_FIELDS = frozenset(field.name for field in fields(Attribute))
_is_key = re.compile(KEY).match


def declarable(attributes: Sequence[Attribute]) -> dict[str, Attribute]:
    """Make attributes of a log from elsewhere ones that an experiment may declare: by their old names, with keys.

    What comes first is kept where there are too many attributes, or too many columns.

    >>> from bandit.features import AttributeType
    >>> {old: made.name for old, made in declarable([Attribute("GUser.Age", AttributeType.NUMBER)]).items()}
    {'GUser.Age': 'guser.age'}
    """
    made: dict[str, Attribute] = {}
    width = 0
    for attribute in attributes:
        key = _fresh_key(attribute.name, {other.name for other in made.values()})
        width += Schema([attribute]).width
        if width > MAX_COLUMNS or len(made) == MAX_ATTRIBUTES:
            break
        made[attribute.name] = replace(attribute, name=key)
    return made


def _fresh_key(name: str, taken: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).lstrip("._-")[:58] or "attribute"
    numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
    return next(key for key in (stem, *numbered) if key not in taken)


def check_spelling(body: Mapping[str, Any]) -> None:
    """Refuse a misspelt field of an attribute, which would be ignored otherwise.

    Raises
    ------
    Invalid
        An attribute has a field that there is not.
    """
    for path in ("context", "variant_attributes"):
        for i, attribute in enumerate(body.get(path, ())):
            strange = sorted(set(attribute) - _FIELDS)
            if strange:
                raise wrong(f"{path}[{i}]", f"must have no fields but {', '.join(sorted(_FIELDS))}", strange[0])


def check_declarations(definition: Definition) -> None:
    """Check the declared attributes, the interactions, and what each variant says of itself.

    Raises
    ------
    Invalid
        A name is no key or is there twice, an attribute is impossible, the vector is too wide, or a variant's value is
        of another type than its declaration; the message holds the path, the condition and the value found.
    """
    _check_attributes("context", definition.context)
    _check_attributes("variant_attributes", definition.variant_attributes)
    context = _schema("context", definition.context)
    _check_width("context", context.width)
    with_products = _schema("interactions", definition.context, interactions=definition.interactions)
    _check_width("interactions", with_products.width)
    variants = _schema("variant_attributes", arms=definition.variant_attributes)
    _check_width("variant_attributes", variants.arm_width)
    if sees_context(definition):
        _check_state(len(definition.variants), with_products.width + 1, variants.arm_width + 1)
    _check_variants(definition)


def _check_attributes(path: str, attributes: Sequence[Attribute]) -> None:
    for i, attribute in enumerate(attributes):
        if not _is_key(attribute.name):
            hint = "Small letters, digits, dot, dash and underscore, at most 64."
            raise wrong(f"{path}[{i}].name", "must be a key", attribute.name, hint=hint)
    repeated = [name for name, count in Counter(attribute.name for attribute in attributes).items() if count > 1]
    if repeated:
        raise wrong(path, "must be distinct", repeated)


def _schema(
    path: str,
    attributes: Sequence[Attribute] = (),
    *,
    interactions: Sequence[tuple[str, str]] = (),
    arms: Sequence[Attribute] = (),
) -> Schema:
    try:
        return Schema(attributes, interactions=interactions, arms=arms)
    except InvalidInput as error:
        raise Invalid(f"{path}: {error}.") from None


def _check_width(path: str, width: int) -> None:
    if width > MAX_COLUMNS:
        hint = "A known value, and a pair of them, has a column each: declare fewer."
        raise wrong(path, f"must make at most {MAX_COLUMNS} columns", width, hint=hint)


def _check_state(variants: int, columns: int, shared: int) -> None:
    hint = "Declare fewer known values, interactions or attributes, or shorter texts."
    if variants * columns**2 > MAX_NUMBERS:
        most = math.isqrt(MAX_NUMBERS // variants) - 1
        raise wrong("context", f"must make at most {most} columns with {variants} variants", columns - 1, hint=hint)
    if shared > 1 and columns * shared > MAX_PAIRS:
        most = MAX_PAIRS // columns - 1
        condition = f"must make at most {most} columns beside the {columns - 1} of the context"
        raise wrong("variant_attributes", condition, shared - 1, hint=hint)


def _check_variants(definition: Definition) -> None:
    schema = Schema(definition.variant_attributes)
    types = {attribute.name: attribute.type for attribute in definition.variant_attributes}
    for i, variant in enumerate(definition.variants):
        for name in schema.unknown(variant.attributes):
            path = f"variants[{i}].attributes.{name}"
            raise wrong(path, f"must be a {types[name].value} as declared", variant.attributes[name])
