"""The generators of captions. A new one is one file and one line."""

from collections.abc import Mapping

GENERATORS: Mapping[str, str] = {
    "latent_prefix": "assay.captioning.latent_prefix:LatentPrefix",
    "solid_bridge": "assay.captioning.solid_bridge:SolidBridge",
    "retrieval": "assay.captioning.baselines:Retrieval",
    "random_caption": "assay.captioning.baselines:RandomCaption",
    "most_common": "assay.captioning.baselines:MostCommon",
}
