"""The axes of the grid and the protocols of scoring: something new is a file and one line here."""

from collections.abc import Mapping

from assay.plugins import with_plugins

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

MOLECULE_PROTOCOLS: Mapping[str, str] = {
    "edm": "assay.generation.metrics.edm:EDM",
    "edm_strict": "assay.generation.metrics.edm_strict:EDMStrict",
    "fcd": "assay.generation.metrics.fcd:FCD",
    "moses": "assay.generation.metrics.moses:MOSES",
    "geometry": "assay.generation.metrics.geometry:Geometry",
    "posebusters": "assay.generation.metrics.posebusters:PoseBusters",
}
"""In the order in which they are printed."""

CRYSTAL_PROTOCOLS: Mapping[str, str] = {
    "cdvae": "assay.generation.metrics.cdvae:CDVAE",
    "matcher": "assay.generation.metrics.crystal_novelty:Matcher",
}
"""In the order in which they are printed."""

ENERGIES: Mapping[str, str] = {"chgnet": "assay.generation.energies.chgnet:CHGNet"}
"""Potentials by which crystals are judged to be stable."""

PROPERTIES: Mapping[str, str] = {
    "composition": "assay.generation.properties.composition:Composition",
    "logp": "assay.generation.properties.drug_likeness:LogP",
    "qed": "assay.generation.properties.drug_likeness:DrugLikeness",
    "gap": "assay.generation.properties.gap:Gap",
    "density": "assay.generation.properties.density:Density",
    "data_set": "assay.generation.properties.data_set:DataSetLabel",
}
"""What samples can be asked for."""

ARCHITECTURES = with_plugins("assay.architectures", ARCHITECTURES)
PROCESSES = with_plugins("assay.processes", PROCESSES)
MOLECULE_PROTOCOLS = with_plugins("assay.molecule_protocols", MOLECULE_PROTOCOLS)
CRYSTAL_PROTOCOLS = with_plugins("assay.crystal_protocols", CRYSTAL_PROTOCOLS)
ENERGIES = with_plugins("assay.energies", ENERGIES)
PROPERTIES = with_plugins("assay.properties", PROPERTIES)
