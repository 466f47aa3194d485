"""Runs drawn from laws that are known."""

import numpy as np

from assay.statistics.scaling.runs import Runs

CHINCHILLA = {"E": 1.8172, "A": 482.01, "alpha": 0.3478, "B": 2085.43, "beta": 0.3658}
"""The refit of Hoffmann et al. (2022) by Besiroglu et al., "Chinchilla scaling: a replication
attempt", 2024, table 1."""


def loss(law: dict[str, float], params: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return L = E + A/N^α + B/D^β."""
    return law["E"] + law["A"] * params ** -law["alpha"] + law["B"] * samples ** -law["beta"]


def ladder(
    law: dict[str, float], params: np.ndarray, samples: np.ndarray, noise: float, seed: int
) -> Runs:
    """Return runs of every size with every number of samples, with noise on the log of the loss."""
    params_R, samples_R = (
        grid.ravel() for grid in np.meshgrid(np.round(params), np.round(samples))
    )
    off_R = np.random.default_rng(seed).normal(0, noise, len(params_R))
    loss_R = loss(law, params_R, samples_R) * np.exp(off_R)
    return Runs(params_R, samples_R, loss_R, flops_R=6 * params_R * samples_R)
