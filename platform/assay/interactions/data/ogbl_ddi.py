"""ogbl-ddi: 4,267 drugs and which of them interact, split by the proteins that drugs bind.

Hu et al., "Open Graph Benchmark", NeurIPS 2020; Wishart et al., "DrugBank 5.0", Nucleic Acids
Research 46, D1074 (2018). Structures come from tables of DrugBank that OGB does not hold.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.interactions.data.links import check_links
from assay.interactions.data.ogbl_ddi_files import PARTS, Links, read_links
from assay.store.fetch import fetch
from assay.store.locations import cache_root
from assay.store.sets import Built, DataSet, Watch, is_url

UPSTREAM = "http://snap.stanford.edu/ogb/data/linkproppred/ddi.zip"
"""OGB's archive. Nobody publishes its checksum: what is pinned is which pairs it must hold."""

DRUGS = 4_267
PAIRS_SHA256 = {
    "train_edge": "e0d6b6acb45f71abe5e3dc9f33abffca38d5b0ba5c34830b1456c9099269279b",
    "valid_edge": "076b758760e5ce6b9f9a3e4beff895bd8fcfe7bb46110c405908a1d706dcf21a",
    "valid_edge_neg": "5c4ee269be2dd65ac8fb03558b5fffc70cebbd8dee12006bd20e4a3be5534684",
    "test_edge": "b3d472fd4308c5f1df33af286bded16adce13449552d532f5c44ea96b52e02c5",
    "test_edge_neg": "97d64cb157377f790e14e743fe8a25f933632d0f2e463536ebc303cdc810f44d",
}
"""Of u·4267 + v of every pair u < v, ascending, as little-endian int64."""


class OGBLDDI(DataSet):
    """The official graph and split, with structures and proteins where the source has them."""

    name = "ogbl_ddi"
    title = "ogbl-ddi: drugs that interact, split by the proteins they bind"
    licence = "CC0-1.0; structures and proteins are DrugBank's, CC-BY-NC-4.0"
    citation = (
        "Hu et al., NeurIPS 2020; Wishart et al., Nucleic Acids Research 46, D1074 (2018), "
        "doi:10.1093/nar/gkx1037"
    )
    kind = "graph"
    version = 1
    upstream = UPSTREAM

    def build(self, source: str, watch: Watch) -> Built:
        """Read, check and pack the graph of `source`.

        Args:
            source: A folder with edges.npz, nodes.csv.gz and drug_proteins.csv.gz; or OGB's
                ddi.zip, its folder, or a URL of it, which know no structures.
            watch: Told the phase and the fraction of it.

        Raises:
            DataError: the source is missing, unreadable or corrupt, or another graph.
        """
        watch("read", 0.0)
        links = read_links(_fetched(source, watch) if is_url(source) else Path(source))
        watch("check", 0.0)
        require_published(links)
        return self.pack(links)

    def pack(self, links: Links) -> Built:
        """Return the arrays and what they hold in one line."""
        arrays = arrays_of(links)
        check_links(arrays, self.name)
        return Built(arrays, describe(links))


OGBL_DDI = OGBLDDI()


def require_published(links: Links) -> None:
    """Refuse what is not ogbl-ddi in its official split.

    Raises:
        DataError: names the part that differs.
    """
    if len(links.drugs) != DRUGS:
        raise DataError(f"{links.path}: names {len(links.drugs):,} drugs, not {DRUGS:,}")
    for name, expected in PAIRS_SHA256.items():
        u_P, v_P = _ascending(links.pairs[name]).astype(np.int64).T
        codes_P = np.sort(u_P * DRUGS + v_P)
        if hashlib.sha256(codes_P.astype("<i8").tobytes()).hexdigest() != expected:
            raise DataError(
                f"{links.path}: its {len(codes_P):,} pairs of {name} are not the published ones; "
                "delete it and get it anew"
            )


def describe(links: Links) -> str:
    """Say in one line what is known of the drugs."""
    train, valid, test = (len(links.pairs[name]) for name in PARTS[:3])
    structures = sum(map(bool, links.smiles))
    bound = len(np.unique(links.proteins_P2[:, 0]))
    return (
        f"ogbl-ddi: {len(links.drugs):,} drugs, {structures:,} with a structure, {bound:,} with "
        f"known proteins; official split by proteins {train:,} / {valid:,} / {test:,} edges "
        "(train / validation / test)"
    )


def arrays_of(links: Links) -> dict[str, NDArray]:
    """Return the arrays of a packed set, in the official split."""
    train, valid, test = (_ascending(links.pairs[name]) for name in PARTS[:3])
    edges = np.concatenate([train, valid, test])
    codes = np.repeat(np.arange(3, dtype=np.uint8), [len(train), len(valid), len(test)])
    return {
        "smiles": np.array(links.smiles, dtype=np.bytes_),
        "study_smiles": np.array(links.study_smiles, dtype=np.bytes_),
        "drugs": np.array(links.drugs, dtype=np.bytes_),
        "proteins": links.proteins_P2,
        "edges": edges,
        "ids": np.arange(1, len(edges) + 1),
        "split": codes,
        "negatives_validation": _ascending(links.pairs["valid_edge_neg"]),
        "negatives_test": _ascending(links.pairs["test_edge_neg"]),
    }


def _ascending(pairs_P2: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.sort(pairs_P2, axis=1).astype(np.int32)


def _fetched(url: str, watch: Watch) -> Path:
    name = f"ogbl-ddi-{hashlib.sha256(url.encode()).hexdigest()[:16]}.zip"
    return fetch(url, None, cache_root() / "downloads" / name, watch)
