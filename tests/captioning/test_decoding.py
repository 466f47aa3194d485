import pytest
import torch

from assay.captioning.decoding import Decoding, _Drawn, _nucleus

LOGITS = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()


def decoding(**given):
    return Decoding.model_validate({"method": "sample", **given})


def drawn(count, seed=0, **given):
    """The tokens that many records draw at their first place."""
    draw = _Drawn(decoding(**given), seed, torch.arange(count))
    return draw(torch.zeros(count, 1, dtype=torch.long), LOGITS.expand(count, 4)).argmax(dim=1)


def shares(tokens):
    return torch.bincount(tokens, minlength=4) / len(tokens)


def test_draws_follow_the_distribution():
    torch.testing.assert_close(shares(drawn(20_000)), LOGITS.exp(), atol=0.012, rtol=0)


def test_a_low_temperature_makes_the_likely_likelier():
    expected = (LOGITS / 0.5).softmax(0)

    torch.testing.assert_close(shares(drawn(20_000, temperature=0.5)), expected, atol=0.012, rtol=0)


def test_a_nucleus_holds_the_likeliest_tokens_that_reach_its_share():
    assert set(drawn(2000, nucleus=0.7).tolist()) == {0, 1}
    assert set(drawn(2000, nucleus=0.76).tolist()) == {0, 1, 2}
    assert set(drawn(200, nucleus=0.01).tolist()) == {0}


def test_a_nucleus_of_unsorted_logits_keeps_their_places():
    logits_BV = LOGITS[torch.tensor([[2, 0, 3, 1]])]

    assert _nucleus(logits_BV, 0.7).isfinite().tolist() == [[False, True, False, True]]


def test_a_draw_is_of_seed_record_and_place():
    one, other = drawn(100), drawn(100, seed=1)
    draw = _Drawn(decoding(), 0, torch.arange(100))
    later = draw(torch.zeros(100, 2, dtype=torch.long), LOGITS.expand(100, 4)).argmax(dim=1)

    assert torch.equal(one, drawn(100))
    assert torch.equal(one[:10], drawn(10))
    assert not torch.equal(one, other)
    assert not torch.equal(one, later)


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ({}, {"beams": None, "temperature": None, "nucleus": None}),
        ({"method": "beam"}, {"beams": 5, "temperature": None, "nucleus": None}),
        ({"method": "sample"}, {"beams": None, "temperature": 1.0, "nucleus": 1.0}),
    ],
)
def test_each_method_has_its_own_defaults(given, filled):
    chosen = Decoding.model_validate(given)

    assert {name: getattr(chosen, name) for name in filled} == filled
    assert Decoding.model_validate(chosen.model_dump()) == chosen
