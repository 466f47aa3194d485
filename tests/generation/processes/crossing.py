"""One interval of a sampler, for a prediction that is given."""

from torch import Tensor

from assay.generation.denoiser import Atoms, Prediction
from assay.generation.processes.process import GenerativeProcess, Interval
from assay.training.draws import Draws


def advance(
    process: GenerativeProcess,
    atoms: Atoms,
    clean: Prediction,
    now: Tensor,
    then: Tensor,
    draws: Draws,
) -> Tensor:
    """Return the positions at `then`; wherever the network is asked, it answers `clean`."""
    return process.advance(Interval(atoms, clean, now, then, draws, lambda there, time: clean))
