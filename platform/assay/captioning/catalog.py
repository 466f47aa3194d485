"""The generators of captions and the protocols that judge them. A new one is one file, one line."""

from collections.abc import Mapping

GENERATORS: Mapping[str, str] = {
    "latent_prefix": "assay.captioning.latent_prefix:LatentPrefix",
    "solid_bridge": "assay.captioning.solid_bridge:SolidBridge",
    "retrieval": "assay.captioning.baselines:Retrieval",
    "random_caption": "assay.captioning.baselines:RandomCaption",
    "most_common": "assay.captioning.baselines:MostCommon",
}

PROTOCOLS: Mapping[str, str] = {
    "molt5": "assay.captioning.metrics.molt5:MolT5",
    "sacrebleu": "assay.captioning.metrics.other_bleu:SacreBLEU",
    "whitespace": "assay.captioning.metrics.other_bleu:Whitespace",
    "groups": "assay.captioning.metrics.consistency:Groups",
}
