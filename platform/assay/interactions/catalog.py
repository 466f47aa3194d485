"""The encoders of the family. A new one is one file and one line here."""

from collections.abc import Mapping

ENCODERS: Mapping[str, str] = {
    "gcn": "assay.interactions.encoders.gcn:GCN",
    "sage": "assay.interactions.encoders.sage:SAGE",
    "gat": "assay.interactions.encoders.gat:GAT",
    "graph_transformer": "assay.interactions.encoders.graph_transformer:GraphTransformer",
}
