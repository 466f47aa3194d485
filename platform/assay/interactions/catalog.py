"""The encoders of the family. A new one is one file and one line here."""

from collections.abc import Mapping

ENCODERS: Mapping[str, str] = {
    "gcn": "assay.interactions.encoders.gcn:GCN",
}
