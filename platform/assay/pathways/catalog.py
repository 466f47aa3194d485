"""The models of pathways. A new one is one file and one line."""

from collections.abc import Mapping

from assay.plugins import with_plugins

MODELS: Mapping[str, str] = {
    "graph_vae": "assay.pathways.graph_vae:GraphVAE",
    "vgae": "assay.pathways.baselines.vgae:VGAE",
    "graph_vae_mlp": "assay.pathways.baselines.graph_vae_mlp:GraphVAEMLP",
    "graphite": "assay.pathways.baselines.graphite:Graphite",
    "autoregressive": "assay.pathways.baselines.autoregressive:Autoregressive",
    "diffusion": "assay.pathways.baselines.diffusion:Diffusion",
    "rewired": "assay.pathways.baselines.floors:Rewired",
    "erdos_renyi": "assay.pathways.baselines.floors:ErdosRenyi",
    "erdos_renyi_joined": "assay.pathways.baselines.floors:ErdosRenyiJoined",
    "nearest": "assay.pathways.baselines.floors:Nearest",
    "copy_train": "assay.pathways.baselines.floors:CopyTrain",
}

MODELS = with_plugins("assay.pathway_models", MODELS)
