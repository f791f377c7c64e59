"""Which segment value a row belongs to."""

from __future__ import annotations

import pytest

from bandit.features import Attribute, AttributeType
from experiments.analysis import why_no_segments
from experiments.analysis.segments import split_of, splits_of


@pytest.mark.parametrize(
    ("age", "label"),
    [(-5, "under 18"), (17.9, "under 18"), (18, "18 to 35.5"), (35.5, "35.5 and more"), (1e300, "35.5 and more")]
    + [(missing, "other") for missing in (None, "18", True, float("nan"), float("inf"), 10**400)],
)
def test_a_number_belongs_to_the_stretch_that_begins_at_or_before_it(age: object, label: str) -> None:
    """What is no number is at home in 'other'."""
    split = split_of(Attribute("age", AttributeType.NUMBER), cuts=(18, 35.5))
    assert split.labels[split.places([{"age": age}])[0]] == label


@pytest.mark.parametrize(
    ("new", "label"), [(True, "yes"), (False, "no"), (1, "other"), ("true", "other"), (None, "other")]
)
def test_a_boolean_is_yes_or_no(new: object, label: str) -> None:
    """Anything else is at home in 'other'."""
    split = split_of(Attribute("new", AttributeType.BOOLEAN))
    assert split.labels[split.places([{"new": new}])[0]] == label


@pytest.mark.parametrize(
    ("device", "label"),
    [("mobile", "mobile"), ("tv", "other"), ("other", "other"), (3, "other"), (["mobile"], "other")],
)
def test_a_category_has_its_declared_values(device: object, label: str) -> None:
    """Undeclared ones are at home in 'other', of which there is one even where it is declared."""
    split = split_of(Attribute("device", AttributeType.CATEGORY, values=("mobile", "other")))
    assert split.labels == ("mobile", "other")
    assert split.labels[split.places([{"device": device}])[0]] == label


def test_segments_are_refused_where_they_could_never_tell_anything(world, full, plain) -> None:
    """With very many variants, or more sums than memory is worth, a sentence says so and none are kept."""
    assert why_no_segments(world.experiment(plain).definition) == "no segments are declared"
    assert why_no_segments(world.experiment(full).definition) == ""
    many = world.experiment(full, variants=51).definition
    assert "more than 50 variants" in why_no_segments(many)
    assert splits_of(many) == ()
    wide = full | {"context": [{"name": "device", "type": "category", "values": [f"d{i}" for i in range(19)]}]}
    wide |= {"segments": [{"attribute": "device"}], "covariate": None}
    assert "declare fewer" in why_no_segments(world.experiment(wide, variants=50).definition)
