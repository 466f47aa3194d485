"""The encoders of the family and what can be known of nodes. A new one is one file and one line."""

from collections.abc import Mapping

from assay.plugins import with_plugins

ENCODERS: Mapping[str, str] = {
    "gcn": "assay.interactions.encoders.gcn:GCN",
    "sage": "assay.interactions.encoders.sage:SAGE",
    "gat": "assay.interactions.encoders.gat:GAT",
    "graph_transformer": "assay.interactions.encoders.graph_transformer:GraphTransformer",
}

SOURCES: Mapping[str, str] = {
    "morgan": "assay.interactions.features.structures:morgan_of_nodes",
    "descriptors": "assay.interactions.features.structures:descriptors_of_nodes",
    "proteins": "assay.interactions.features.proteins:of_nodes",
    "chemberta": "assay.interactions.features.chemberta:of_nodes",
}

ENCODERS = with_plugins("assay.encoders", ENCODERS)
SOURCES = with_plugins("assay.node_features", SOURCES)
