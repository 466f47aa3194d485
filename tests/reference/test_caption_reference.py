"""The MolT5 protocol on the predictions that its authors released, against golden values.

They were computed with NLTK 3.10, rouge-score 0.1.2 and transformers 5.23, by other code.
"""

import gzip
import itertools

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
FIRST = 300
GOLDEN_OF_FIRST = (0.559322, 0.470123, 0.585059, 0.629685, 0.482402, 0.576218)
"""Of the first 300 predictions of MolT5-base."""


@pytest.fixture(scope="module")
def molt5(assay_data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        assets.prepare("caption-metrics", str(assay_data / "caption_metrics"))
        return MolT5()


def released(assay_data, size):
    path = assay_data / "caption_metrics" / f"predictions_molt5-{size}.jsonl.gz"
    pairs, rejected = read_pairs(path)
    assert (len(pairs), rejected) == (3_300, [])
    return pairs


def first(assay_data, tmp_path):
    path = assay_data / "caption_metrics" / "predictions_molt5-base.jsonl.gz"
    with gzip.open(path, "rb") as file:
        lines = b"".join(itertools.islice(file, FIRST))
    (tmp_path / "first.jsonl").write_bytes(lines)
    return read_pairs(tmp_path / "first.jsonl")[0]


def test_the_first_released_predictions_have_the_golden_values(assay_data, molt5, tmp_path):
    found = molt5.evaluate(first(assay_data, tmp_path), Resamples(FIRST)).estimates

    values = [found[f"molt5/{name}"].value for name in NAMES]
    assert values == pytest.approx(GOLDEN_OF_FIRST, abs=1e-5)


def test_the_first_references_fit_their_own_molecules_best(assay_data, tmp_path):
    found = Groups().evaluate(first(assay_data, tmp_path), Resamples(FIRST)).estimates

    assert found["groups/precision_ceiling"].low > 0.93
    assert found["groups/precision_ceiling"].low > found["groups/precision"].high
    assert found["groups/precision"].low > found["groups/precision_chance"].high


@pytest.mark.slow
@pytest.mark.parametrize("size", GOLDEN)
def test_released_predictions_have_the_golden_values(assay_data, size, molt5):
    pairs = released(assay_data, size)

    found = molt5.evaluate(pairs, Resamples(len(pairs))).estimates

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
