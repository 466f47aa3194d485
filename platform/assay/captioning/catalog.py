"""The generators of captions. A new one is one file and one line."""

from collections.abc import Mapping

from assay.plugins import with_plugins

GENERATORS: Mapping[str, str] = {
    "latent_prefix": "assay.captioning.latent_prefix:LatentPrefix",
    "latent_prefix_retrieval": "assay.captioning.latent_prefix:LatentPrefixRetrieval",
    "solid_bridge": "assay.captioning.solid_bridge:SolidBridge",
    "solid_bridge_retrieval": "assay.captioning.solid_bridge:SolidBridgeRetrieval",
    "solid_bridge_graph": "assay.captioning.solid_bridge:GraphOnly",
    "language_model": "assay.captioning.solid_bridge:TextOnly",
    "embedding_retrieval": "assay.captioning.embedding_retrieval:EmbeddingRetrieval",
    "retrieval": "assay.captioning.baselines:Retrieval",
    "retrieval_chebi20": "assay.captioning.baselines:RetrievalChEBI20",
    "retrieval_reranked": "assay.captioning.baselines:RetrievalReranked",
    "random_caption": "assay.captioning.baselines:RandomCaption",
    "most_common": "assay.captioning.baselines:MostCommon",
}

GENERATORS = with_plugins("assay.caption_generators", GENERATORS)
