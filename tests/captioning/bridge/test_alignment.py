import numpy as np
import pytest
import torch

from assay.captioning.bridge.alignment import (
    Frame,
    alignment_costs,
    first_of_each,
    judged,
)
from assay.captioning.bridge.settings import AlignmentSettings

CAPTIONS = ("an acid", "a base", "a salt", "an acid")


def pairs(n=4, width=6):
    torch.manual_seed(0)
    return torch.randn(n, width), torch.randn(n, width)


def costs(x, y, **weights):
    chosen = AlignmentSettings.model_validate(weights)
    return alignment_costs(x, y, Frame.of(y), CAPTIONS, chosen)


def test_what_is_aligned_costs_nothing_but_the_contrast():
    _, y = pairs()

    found = costs(y, y, temperature=0.02)

    assert float(found["mse"]) == 0
    assert float(found["cosine"]) == pytest.approx(0, abs=1e-6)
    assert float(found["info_nce"]) == pytest.approx(0, abs=1e-3)


def test_saying_the_mean_description_of_everything_costs_one():
    _, y = pairs()

    found = costs(y.mean(0).expand_as(y), y, info_nce=0)

    assert float(found["mse"]) == pytest.approx(1)
    assert float(found["cosine"]) == pytest.approx(1)


@pytest.mark.parametrize("name", ["mse", "cosine", "info_nce"])
def test_a_weight_scales_its_cost_and_zero_removes_it(name):
    x, y = pairs()

    assert name not in costs(x, y, **{name: 0})
    once, thrice = costs(x, y), costs(x, y, **{name: 3})
    assert {key: float(thrice[key] / once[key]) for key in once} == pytest.approx(
        {"mse": 1, "cosine": 1, "info_nce": 1} | {name: 3}
    )


def test_retrieval_that_works_passes_and_such_as_does_not_stops():
    torch.manual_seed(0)
    y = torch.randn(64, 16)
    near, far = y + 0.1 * torch.randn(64, 16), torch.randn(64, 16)

    easy, hopeless = judged(near, y, Frame.of(y), 0), judged(far, y, Frame.of(y), 0)

    assert easy.passes
    assert (easy.own.value, easy.shuffled.value) == (1.0, 0.0)
    assert not hopeless.passes
    assert str(easy).startswith("Recall@1 of held-out descriptions is 1.000 [0.943, 1.000]")


def test_too_few_to_tell_do_not_pass():
    y = torch.eye(3)

    assert not judged(y, y, Frame.of(y), 0).passes


def test_a_model_that_gives_all_molecules_the_same_token_does_not_pass():
    y = torch.randn(64, 16)

    assert not judged(torch.ones(64, 16), y, Frame.of(y), 0).passes


def test_each_text_counts_once():
    assert np.array_equal(first_of_each(list(CAPTIONS)), [0, 1, 2])
