"""The models of pathways. A new one is one file and one line."""

from collections.abc import Mapping

MODELS: Mapping[str, str] = {
    "graph_vae": "assay.pathways.graph_vae:GraphVAE",
}
