from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bandit.offpolicy import estimators
from bandit.offpolicy.sums import Sums
from experiments.statistics.boundaries import bounded, mixtures, stitching, weighted

Vector = dict[str, Any]


def boundary(function: Callable[..., float], **more: Any) -> Callable[[Vector], float]:
    """A boundary whose keyword arguments are the vector's own names."""

    def reproduce(vector: Vector) -> float:
        inputs = dict(vector["inputs"])
        leading = [inputs.pop(name) for name in ("quantile_p", "t", "s", "v") if name in inputs]
        return function(*leading, **inputs, **more)

    return reproduce


def weights_and_rewards(inputs: Vector) -> tuple[Any, Any, Any]:
    """(n,) target probabilities, logged ones and rewards."""
    return np.array(inputs["p_pred"]), np.array(inputs["p_log"]), np.array(inputs["r"])


def weighted_interval(vector: Vector) -> list[float]:
    """Limits by the wealth of the gamma-exponential mixture."""
    target, logged, rewards = weights_and_rewards(vector["inputs"])
    return list(weighted.weighted_limits(target / logged, rewards, clipped=False))


def off_policy(vector: Vector) -> float:
    """The value by an estimator."""
    target, logged, rewards = weights_and_rewards(vector["inputs"])
    name = vector["name"].removeprefix("vw_").removesuffix(".Estimator")
    if name == "cressieread":
        return weighted.cressie_read(target / logged, rewards)
    chosen = np.zeros(len(target), dtype=np.int64)
    sums = Sums.of(target[:, None], chosen, rewards=rewards, propensities=logged)
    return estimators.estimate(sums, estimators.Estimator(name)).value


def at_looks(limits: tuple[Any, Any]) -> list[list[float]]:
    """Limits after 50, 100 and 200 values."""
    return [[limits[0][t - 1], limits[1][t - 1]] for t in (50, 100, 200)]


def bernoulli(inputs: Vector) -> list[float]:
    """Limits of a proportion at all times."""
    trials = inputs["num_successes"], inputs["num_trials"]
    return list(mixtures.bernoulli_limits(*trials, alpha=inputs["alpha"], t_opt=inputs["t_opt"]))


REPRODUCED: dict[str, Callable[[Vector], Any]] = {
    "confseq_two_sided_normal_best_rho": boundary(mixtures.best_rho),
    "confseq_normal_log_mixture_two_sided": boundary(mixtures.normal_log_mixture, one_sided=False),
    "confseq_normal_mixture_bound_two_sided": boundary(mixtures.normal_mixture_bound, one_sided=False),
    "confseq_normal_mixture_bound_one_sided": boundary(mixtures.normal_mixture_bound),
    "confseq_gamma_exponential_log_mixture": boundary(mixtures.gamma_exponential_log_mixture),
    "confseq_gamma_exponential_mixture_bound": boundary(mixtures.gamma_exponential_mixture_bound),
    "confseq_gamma_poisson_mixture_bound": boundary(mixtures.gamma_poisson_mixture_bound),
    "confseq_beta_binomial_mixture_bound_two_sided": boundary(mixtures.beta_binomial_mixture_bound, one_sided=False),
    "confseq_beta_binomial_mixture_bound_one_sided": boundary(mixtures.beta_binomial_mixture_bound),
    "confseq_poly_stitching_bound": boundary(stitching.poly_stitching_bound),
    "confseq_double_stitching_bound": boundary(stitching.double_stitching_bound),
    "confseq_bernoulli": lambda v: bernoulli(v["inputs"]),
    "confseq_predmix_empbern": lambda v: at_looks(bounded.empirical_bernstein_limits(v["inputs"]["x"])),
    "confseq_predmix_hoeffding": lambda v: at_looks(bounded.hoeffding_limits(v["inputs"]["x"])),
    "confseq_betting": lambda v: np.stack(
        bounded.betting_limits(v["inputs"]["x"], times=(50, 100, 200)), axis=1
    ).tolist(),
    "vw_cs": weighted_interval,
    "vw_": off_policy,
}


def test_reproduces_another_package(
    vector: Vector, reproduce: Callable[[Vector], Any], agree: Callable[[Any, Vector], None]
) -> None:
    """Every number of the vector is found by public functions from the same plain inputs."""
    agree(reproduce(vector), vector)


def test_no_vector_is_left_out(counts: tuple[dict[str, int], list[Vector]]) -> None:
    """The modules together reproduce every vector, of which there are as many as there were."""
    modules, vectors = counts
    assert sum(modules.values()) == len(vectors) == 126
