"""Texts keep their inner products, on average and whatever their words."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.features import Attribute, AttributeType, Schema
from bandit.features.words import COLUMNS
from bandit.validation import InvalidInput


def text(columns=None, name="query"):
    """The schema of one text that is always known."""
    return Schema([Attribute(name, AttributeType.TEXT, columns=columns, always_known=True)])


def test_words_have_one_column_and_sign_for_ever():
    """The columns of these words are promised: another process, machine or version finds the same ones."""
    row = text(8).encode_one({"query": "very cheap red running shoes"})
    np.testing.assert_allclose(row * np.sqrt(5), [0, 1, 0, -2, 1, 0, 0, 1], atol=1e-12)
    assert text().names == tuple(f"query#{i}" for i in range(COLUMNS))


@pytest.mark.parametrize(
    "same", ["Shoes, RED & cheap!", "red shoes\tcheap", "cheap cheap red shoes", "çheap red shoes"]
)
def test_order_case_and_repetition_do_not_matter(same):
    """Distinct words are counted, small and capital letters alike; another letter makes another word."""
    rows = text(64).encode([{"query": "cheap red shoes"}, {"query": same}])
    assert (rows[0] == rows[1]).all() == (not same.startswith("ç"))


def test_inner_products_are_kept_on_average():
    """Over many hashes, the inner product of two texts has the mean and at most the variance that the paper gives.

    Weinberger et al. 2009, lemma 2: unbiased, variance at most 2/m for texts of norm 1.
    """
    columns, hashes = 32, 400
    first, second = "one two three four", "three four five six"
    rows = [text(columns, f"t{i}").encode([{f"t{i}": first}, {f"t{i}": second}]) for i in range(hashes)]
    products = np.array([row[0] @ row[1] for row in rows])
    error = np.sqrt(2 / columns / hashes)
    assert abs(products.mean() - 0.5) < 4 * error
    assert products.var() < 2 / columns
    norms = np.array([row[0] @ row[0] for row in rows])
    assert abs(norms.mean() - 1.0) < 4 * error


def test_long_texts_do_not_outweigh_short_ones():
    """The norm stays near 1, and is exactly that of one word for one word."""
    schema = text(256)
    many = schema.encode_one({"query": " ".join(f"w{i}" for i in range(100))})
    assert np.linalg.norm(many) == pytest.approx(1.0, abs=0.3)
    assert np.linalg.norm(schema.encode_one({"query": "word"})) == 1.0


def test_no_words_are_known_and_all_zero():
    """A text without words is no missing one."""
    schema = Schema([Attribute("query", AttributeType.TEXT, columns=4)])
    assert schema.names == ("query#0", "query#1", "query#2", "query#3", "query=unknown")
    rows = schema.encode([{"query": " ... "}, {"query": ""}, {}, {"query": 3}, {"query": "\ud800 x"}])
    assert rows[:, 4].tolist() == [0.0, 0.0, 1.0, 1.0, 0.0]
    assert not rows[:4, :4].any()


def test_names_are_hashed_too():
    """Two texts of one context do not collide in the same places."""
    words = " ".join(f"w{i}" for i in range(20))
    assert (text(16, "a").encode_one({"a": words}) != text(16, "b").encode_one({"b": words})).any()


@pytest.mark.parametrize("columns", [0, -1, 5000, 2.5])
def test_columns_have_limits(columns):
    """The message names the attribute and what was found."""
    with pytest.raises(InvalidInput, match=r"attribute query: columns must lie in \[1, 4096\]"):
        text(columns)


def test_many_words_are_hashed_in_bounded_memory():
    """Remembered words are forgotten before they are too many, and hash as before."""
    schema = text(16)
    before = schema.encode_one({"query": "first"})
    for i in range(60):
        schema.encode_one({"query": " ".join(f"w{i}x{j}" for j in range(100))})
    (encoder,) = schema._encoders
    assert len(encoder._homes) <= 4096
    np.testing.assert_array_equal(schema.encode_one({"query": "first"}), before)
