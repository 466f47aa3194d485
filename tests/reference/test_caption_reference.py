"""The MolT5 protocol on the predictions that its authors released, against golden values.

They were computed with NLTK 3.10, rouge-score 0.1.2 and transformers 5.23, by other code.
"""

import pytest

from assay.captioning.metrics.consistency import Groups
from assay.captioning.metrics.molt5 import MolT5
from assay.captioning.metrics.pairs import read_pairs
from assay.captioning.metrics.resampling import Resamples
from assay.store import assets

pytestmark = pytest.mark.data

NAMES = ("bleu2", "bleu4", "meteor", "rouge1", "rouge2", "rougeL")
GOLDEN = {
    "small": (0.5315, 0.4449, 0.5575, 0.6210, 0.4699, 0.5639),
    "base": (0.5508, 0.4644, 0.5745, 0.6339, 0.4847, 0.5768),
}


def released(assay_data, size):
    path = assay_data / "caption_metrics" / f"predictions_molt5-{size}.jsonl.gz"
    pairs, rejected = read_pairs(path)
    assert (len(pairs), rejected) == (3_300, [])
    return pairs


@pytest.mark.parametrize("size", [pytest.param("small", marks=pytest.mark.slow), "base"])
def test_released_predictions_have_the_golden_values(assay_data, size, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    assets.prepare("caption-metrics", str(assay_data / "caption_metrics"))
    pairs = released(assay_data, size)

    found = MolT5().evaluate(pairs, Resamples(len(pairs))).estimates

    for name, golden in zip(NAMES, GOLDEN[size], strict=True):
        estimate = found[f"molt5/{name}"]
        assert estimate.value == pytest.approx(golden, abs=1e-3)
        assert estimate.low < estimate.value < estimate.high
        assert estimate.high - estimate.low < 0.03


@pytest.mark.slow
def test_references_say_what_their_molecules_have_and_others_do_not(assay_data):
    """The floors of `groups` on ChEBI-20, measured independently with 28 groups: .914 and .224."""
    pairs = released(assay_data, "base")

    found = Groups().evaluate(pairs, Resamples(len(pairs))).estimates

    assert found["groups/precision_ceiling"].value == pytest.approx(0.96, abs=0.02)
    assert found["groups/precision_chance"].value == pytest.approx(0.22, abs=0.03)
    assert found["groups/ring_precision"].n > 300
    assert found["groups/precision"].value == pytest.approx(0.80, abs=0.03)
