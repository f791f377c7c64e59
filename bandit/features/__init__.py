"""Contexts to vectors, by a declared schema: every value, known or not, has a home.

``attributes``
    What is declared, and which values are of which type.
``encoders``
    A value to its columns: categories, numbers, booleans, cyclic numbers and tags.
``numbers``
    The short way for contexts of nothing but numbers.
``words``
    A text to its columns: signed feature hashing.
``products``
    Interactions: the products of two attributes' columns.
``kernels``
    The compiled loops of both.
``schema``
    All of them together: a context to a vector, many contexts to a matrix, arms to theirs.
``standardizer``
    Centers and scales of numbers, learned as sums.
"""

from bandit.features.attributes import LIMIT, Attribute, AttributeType
from bandit.features.schema import Schema
from bandit.features.standardizer import Standardizer

__all__ = ["LIMIT", "Attribute", "AttributeType", "Schema", "Standardizer"]
