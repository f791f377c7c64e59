"""The committed vectors: reference results of other packages, of which ``stats_vectors.json`` holds many more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "stats_vectors.json"


def published_vectors() -> list[dict[str, Any]]:
    """Every vector of the reference file, or none where the file is not beside the repository."""
    if not REFERENCE.exists():
        return []
    vectors: list[dict[str, Any]] = json.loads(REFERENCE.read_text())["vectors"]
    return vectors


def pytest_generate_tests(metafunc: Any) -> None:
    """Give a test that asks for ``sequential_vector`` or ``ratio_vector`` each such vector in turn."""
    for fixture, belongs in (
        ("sequential_vector", lambda v: v["call"].startswith("Sequential")),
        ("ratio_vector", lambda v: v["name"].startswith("srm_always_valid")),
        ("beta_vector", lambda v: v["name"].startswith(("beta_prob_best", "beta_expected_loss"))),
    ):
        if fixture in metafunc.fixturenames:
            found = [vector for vector in COMMITTED + published_vectors() if belongs(vector)]
            ids = [f"{vector['name']}-{index}" for index, vector in enumerate(found)]
            metafunc.parametrize(fixture, found, ids=ids)


def sequential(name: str, n: int, n_star: int, estimate: float, se: float, ci: list[float], p: float) -> dict[str, Any]:
    """One result of gbstats' sequential two-sided t test."""
    return {
        "name": name,
        "call": "SequentialTwoSidedTTest",
        "inputs": {"a": {"n": n}, "b": {"n": 0}, "alpha": 0.05, "sequential_tuning_parameter": n_star},
        "expected": {"expected": estimate, "se": se, "ci": ci, "p_value": p},
        "rtol": 1e-9,
    }


COMMITTED = [
    sequential(
        "proportion",
        20_100,
        5_000,
        0.009999999999999995,
        0.0043235482311327,
        [-0.0035226491211563862, 0.023522649121156376],
        0.42882398660853915,
    ),
    sequential(
        "mean",
        10_200,
        20_000,
        0.1299999999999999,
        0.04726505386537791,
        [-0.015608835677949823, 0.2756088356779496],
        0.10821321258158544,
    ),
    sequential(
        "ratio",
        4_100,
        5_000,
        0.024653704409709043,
        0.012727965144745263,
        [-0.014031447445422944, 0.06333885626484104],
        0.538968075965573,
    ),
    {
        "name": "srm_always_valid",
        "call": "dirichlet_multinomial.logpmf - multinomial.logpmf",
        "inputs": {"n": [5200, 4800], "weights": [0.5, 0.5], "conc": 100},
        "expected": {"log_bayes_factor": 5.61361341176962, "p_value": 0.0036478642786863472},
        "rtol": 1e-7,
    },
    {
        "name": "beta_prob_best",
        "call": "scipy.integrate.quad",
        "inputs": {"posterior_ab": [[101, 901], [121, 881]]},
        "expected": [0.07681656102644034, 0.9231834389735597],
        "rtol": 1e-7,
    },
    {
        "name": "beta_expected_loss",
        "call": "scipy.integrate.quad",
        "inputs": {"posterior_ab": [[101, 901], [121, 881]]},
        "expected": [0.020444693766675806, 0.00048461392635644474],
        "rtol": 1e-6,
    },
]
