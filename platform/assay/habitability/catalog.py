"""Ways of joining modalities, and floors, by name. A new one is one file and one line."""

from collections.abc import Mapping

from assay.plugins import with_plugins

FUSIONS: Mapping[str, str] = {
    "cross_attention": "assay.habitability.fusions.cross_attention:CrossAttention",
    "concatenation": "assay.habitability.fusions.concatenation:Concatenation",
    "film": "assay.habitability.fusions.film:Film",
    "late": "assay.habitability.fusions.late:Late",
    "only_bio_graphs": "assay.habitability.fusions.single:OnlyBioGraphs",
    "only_climate_cubes": "assay.habitability.fusions.single:OnlyClimateCubes",
    "only_spectra": "assay.habitability.fusions.single:OnlySpectra",
    "only_text_descriptions": "assay.habitability.fusions.single:OnlyTextDescriptions",
    "only_planet_params": "assay.habitability.fusions.single:OnlyPlanetParams",
    "energy_balance": "assay.habitability.fusions.energy_balance:EnergyBalance",
    "training_mean": "assay.habitability.fusions.training_mean:TrainingMean",
}

FUSIONS = with_plugins("assay.fusions", FUSIONS)
