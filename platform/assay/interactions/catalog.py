"""The encoders of the family and what can be known of nodes. A new one is one file and one line."""

from collections.abc import Mapping

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
