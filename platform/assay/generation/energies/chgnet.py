"""CHGNet: a potential for all elements up to plutonium, whose weights its package brings along.

Source: Deng et al., "CHGNet as a pretrained universal neural network potential for
charge-informed atomistic modelling", Nature Machine Intelligence 5 (2023) 1031; the package of its
authors, learnt from relaxations of the Materials Project (PBE and PBE+U).
"""

import contextlib
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.generation.energies.evaluator import Evaluator, loaded
from assay.generation.metrics.crystal_matching import structures
from assay.generation.metrics.protocol import missing

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

WEIGHTS = "0.3.0"
"""Of those that the package brings along."""

HEAVIEST = 94
"""The atomic number of the last element that it has learnt."""

_AT_ONCE = 16


class CHGNet(Evaluator):
    """The published weights; an atom without neighbours within 6 Å has no energy."""

    name: ClassVar[str] = "chgnet"

    def lacks(self) -> str | None:
        """Return how to install chgnet where it is not."""
        return missing("chgnet", "stability")

    @property
    def version(self) -> str:
        """The weights, and the package's version."""
        return f"{WEIGHTS} (package {metadata.version('chgnet')})"

    def calculator(self) -> "BaseCalculator":
        """Return CHGNet's calculator, on a GPU where there is one."""
        from chgnet.model.dynamics import CHGNetCalculator
        from chgnet.model.model import CHGNet as Network

        network = Network.load(model_name=WEIGHTS, verbose=False)
        return CHGNetCalculator(network, on_isolated_atoms="error")

    def energies(self, crystals: Crystals) -> NDArray[np.float64]:
        """Return (M,) eV an atom, of many crystals at once."""
        network: Any = loaded(CHGNet)
        found, graphs = np.full(len(crystals), np.nan), {}
        for k, structure in enumerate(structures(crystals)):
            if max(structure.atomic_numbers) > HEAVIEST:
                continue
            with contextlib.suppress(ValueError, RuntimeError), warnings.catch_warnings():
                graphs[k] = network.model.graph_converter(structure)
        if graphs:
            predicted = network.model.predict_graph(
                list(graphs.values()), task="e", batch_size=_AT_ONCE
            )
            of_each = predicted if isinstance(predicted, list) else [predicted]
            found[list(graphs)] = [float(one["e"]) for one in of_each]
        return found
