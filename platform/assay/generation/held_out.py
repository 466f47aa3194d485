"""How well a network sees the data through noise: x-MSE on held-out systems, at matched noise.

Losses of different processes do not compare: they weight times differently, and at equal times see
through different noise. Here every process is asked at the times at which its points say equally
much, and its error is taken relative to what that leaves. What they say is still not equal where
noise was paired with the data in training: of such a process the same is measured with noise that
was not, too.

Shapes: B systems, N atoms (padded).
"""

import torch
from torch import Tensor

from assay.generation.denoiser import Atoms, Network
from assay.generation.metrics.protocol import mean_of
from assay.generation.processes.geometry import UNIFORM_SPREAD
from assay.generation.processes.process import GenerativeProcess, atom_mean
from assay.task import Estimate
from assay.training.draws import Draws

VERSION = "2"
SYSTEMS = 512
"""Of a split at most, from all over it; in version 1 they were its first, the smallest."""
SIGNAL_TO_NOISE = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""a/s; of molecules in units of 1.72 Å, noise of 3.4 Å to 0.05 Å. Of crystals without the first
two, which diffusion on a torus does not have: its mean way to the data is never that long."""


@torch.no_grad()
def relative_errors(
    network: Network, process: GenerativeProcess, clean: Atoms, draws: Draws
) -> Tensor:
    """Return (B,) the mean over the ratios of `SIGNAL_TO_NOISE` of a system's relative x-MSE.

    The square error of its predicted coordinates over that of the best linear estimate, which
    leaves s²/(a² + s²) of unit variance: 1 for a network that knows nothing of molecules, 0 for one
    that sees through the noise. Of crystals, over the variance of the way to the data. Each point
    lies on the path of the process as it is given, with its coupling of noise and data; no earlier
    prediction is seen.

    Args:
        network: What predicts, as the process sees it.
        process: Whose path is followed.
        clean: Systems of a split that no training has seen.
        draws: Of every system its own noise; record ids (B,).
    """
    periodic, (B, N) = clean.cell_B6 is not None, clean.mask_BN.shape
    unit = UNIFORM_SPREAD if periodic else 1.0
    total_B = torch.zeros(B, device=clean.mask_BN.device)
    ratios = SIGNAL_TO_NOISE[2:] if periodic else SIGNAL_TO_NOISE
    for ratio in ratios:
        left = (1 + ratio**2) ** -0.5
        time_B = torch.full_like(total_B, process.time_of(left, periodic))
        point = process.point(clean, time_B, draws)
        atoms, end_BS3 = point.atoms.first(B), point.end_BS3  # of antithetic pairs, the first
        end_BS3 = process.geometry.state(point.clean) if end_BS3 is None else end_BS3
        seen = process.predict(network, atoms, time_B, None)
        off_BS3 = process.geometry.end(seen, atoms) - end_BS3[:B]
        square_BN = off_BS3[:, :N].square().mean(-1)
        total_B += atom_mean(square_BN, clean.mask_BN) / (left * unit) ** 2
    return total_B / len(ratios)


def estimates(
    test_B: Tensor, validation_B: Tensor, independent_B: Tensor, seed: int
) -> dict[str, Estimate]:
    """Return `held_out/x_mse`, `x_mse_validation` and `x_mse_independent`, means over systems.

    Args:
        test_B: Errors of the test split, on the process's own path.
        validation_B: Of the validation split, likewise. Whoever chooses among cells, such as a
            learning rate, chooses by it: then the first is of data that nothing was fitted to.
        independent_B: Of the test split, with noise that is independent of the data.
        seed: Of the resampling.
    """
    parts = {
        "x_mse": test_B, "x_mse_validation": validation_B, "x_mse_independent": independent_B,
    }  # fmt: skip
    return {
        f"held_out/{name}": mean_of(errors_B.double().cpu().numpy(), VERSION, "lower", seed)
        for name, errors_B in parts.items()
    }
