"""The two axes of the grid. A new architecture or process is one file and one line here."""

from collections.abc import Mapping

ARCHITECTURES: Mapping[str, str] = {
    "gnn": "assay.generation.architectures.gnn:GNN",
    "transformer": "assay.generation.architectures.transformer:Transformer",
    "pairformer": "assay.generation.architectures.pairformer:Pairformer",
}

PROCESSES: Mapping[str, str] = {
    "flow_matching": "assay.generation.processes.flow_matching:FlowMatching",
    "diffusion": "assay.generation.processes.diffusion:Diffusion",
    "stochastic_interpolant": (
        "assay.generation.processes.stochastic_interpolant:StochasticInterpolant"
    ),
}
