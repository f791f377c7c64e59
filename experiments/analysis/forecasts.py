"""Which forecasts scores are centred by: a ridge regression on the declared context, or shrunk means without one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bandit.types import Floats, Ints
from experiments.analysis.frame import Channels
from experiments.statistics.adaptive.plugins import ArmMeans, Plugin, Ridge, foretold

REACH = 10.0
"""Features are drawn together to ±REACH, so that a number whose scale nobody declared does not drown the others."""


def forecasts(channels: Channels, *, arms: int, width: int) -> Plugin:
    """Return forecasts that know nothing yet; ``width`` is how many features there are."""
    defaults = [default if np.isfinite(default) else 0.0 for default in channels.defaults]
    if width == 0:
        return ArmMeans(arms, len(defaults), default=defaults)
    return Ridge(arms, width, len(defaults), default=defaults)


def forecasts_from(arrays: Mapping[str, npt.NDArray[np.float64]]) -> Plugin:
    """Return the forecasts whose arrays these are."""
    return Ridge.from_arrays(arrays) if "theta" in arrays else ArmMeans.from_arrays(arrays)


def follow(plugin: Plugin, *, chosen: Ints, outcomes: Floats, features: Floats) -> Floats:
    """Return (n, C, K) what is forecast of each row from those before it, and learn the rows."""
    bounded = features / (1 + np.abs(features) / REACH)
    predictions = np.empty((*outcomes.shape, plugin.predict(bounded[:0]).shape[-1]))
    for rows, forecast in foretold(plugin, chosen=chosen, outcomes=outcomes, features=bounded):
        predictions[rows] = forecast
    return predictions
