import pytest
import torch

from assay.captioning.decoding import Decoding, _Drawn, _nucleus, write

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
    changed = Decoding().model_dump() | {"method": chosen.method}
    assert Decoding.model_validate(changed) == chosen


class Constant:
    """Writes one token after another of the same logits, as transformers' `generate` asks."""

    def generate(self, attention_mask, logits_processor, max_new_tokens, do_sample):
        assert not do_sample
        tokens_CT = torch.zeros(len(attention_mask), 1, dtype=torch.long)
        for _ in range(max_new_tokens):
            logits_CV = logits_processor(tokens_CT, LOGITS.expand(len(tokens_CT), 4))
            tokens_CT = torch.cat([tokens_CT, logits_CV.argmax(dim=1, keepdim=True)], dim=1)
        return tokens_CT[:, 1:]


def test_candidates_stand_together_and_the_first_is_what_would_be_written_without():
    ids, mask = torch.tensor([7, 9, 8]), torch.ones(3, 2)

    one = write(Constant(), decoding(most_tokens=20), 0, ids, attention_mask=mask)
    three = write(Constant(), decoding(most_tokens=20, candidates=3), 0, ids, attention_mask=mask)

    assert three.shape == (9, 20)
    assert torch.equal(three[::3], one)
    assert len({tuple(row) for row in three.tolist()}) == 9


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"candidates": 3}, "greedy has one text"),
        ({"method": "beam", "beams": 3, "candidates": 4}, "candidates 4 of 3 beams"),
        ({"method": "beam", "candidates": 1}, "greater than or equal to 2"),
    ],
)
def test_candidates_that_there_are_not_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        Decoding.model_validate(given)


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ({}, 1),
        ({"method": "beam", "beams": 4, "candidates": 2}, 4),
        ({"method": "sample"}, 1),
        ({"method": "sample", "candidates": 3}, 3),
    ],
)
def test_what_is_written_side_by_side_is_counted(given, texts):
    assert Decoding.model_validate(given).side_by_side == texts
