"""The floor of captioning as it was measured by other code: nltk's, rouge-score's and RDKit's own.

With ChEBI-20's 3,301 validation captions as the pool, the caption of the nearest molecule of each
of the 3,300 of the test split scores BLEU-4 .3495, METEOR .4735 and ROUGE-L .4713 under MolT5's
protocol; the mean similarity to the nearest molecule is .602.
"""

import json

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from assay.captioning.data.chebi20_files import read_split
from assay.captioning.fingerprints import Fingerprints
from assay.captioning.metrics.evaluate import evaluate_captions
from assay.captioning.retrieval import nearest
from assay.store import assets

FIRST = 300

pytestmark = pytest.mark.data


def test_the_nearest_of_the_first_are_those_of_rdkit(assay_data):
    pool, asked = (
        [pair.smiles for pair in read_split(assay_data / "chebi20", part)[:FIRST]]
        for part in ("validation", "test")
    )
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    theirs, ours = (
        [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in smiles]
        for smiles in (pool, asked)
    )
    expected = np.array([DataStructs.BulkTanimotoSimilarity(one, theirs) for one in ours])

    found = nearest(Fingerprints.of(asked), Fingerprints.of(pool))

    assert found.places_QK[:, 0].tolist() == expected.argmax(axis=1).tolist()
    assert found.similarity_QK[:, 0] == pytest.approx(expected.max(axis=1), rel=1e-6)


@pytest.mark.slow
def test_the_nearest_caption_scores_what_it_scored_elsewhere(assay_data, tmp_path, monkeypatch):
    pytest.importorskip("nltk")
    pytest.importorskip("rouge_score")
    monkeypatch.setenv("ASSAY_DATA", str(assay_data))
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    assets.prepare("caption-metrics")
    pool, asked = (read_split(assay_data / "chebi20", part) for part in ("validation", "test"))

    neighbours = nearest(
        *(Fingerprints.of([pair.smiles for pair in pairs]) for pairs in (asked, pool))
    )
    lines = [
        json.dumps({"prediction": pool[place].caption, "reference": pair.caption})
        for place, pair in zip(neighbours.places_QK[:, 0], asked, strict=True)
    ]
    (tmp_path / "captions.jsonl").write_text("\n".join(lines))
    metrics = evaluate_captions(tmp_path / "captions.jsonl", ["molt5"])["metrics"]

    assert neighbours.similarity_QK.mean() == pytest.approx(0.602, abs=5e-4)
    assert metrics["molt5/bleu4"]["value"] == pytest.approx(0.3495, abs=1e-3)
    assert metrics["molt5/meteor"]["value"] == pytest.approx(0.4735, abs=1e-3)
    assert metrics["molt5/rougeL"]["value"] == pytest.approx(0.4713, abs=1e-3)
