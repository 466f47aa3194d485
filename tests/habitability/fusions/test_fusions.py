"""What holds of every way of joining modalities, and of each alone."""

from dataclasses import replace

import pytest
import torch

from assay.habitability.catalog import FUSIONS
from assay.habitability.data.modalities import MODALITIES
from assay.habitability.encoded import Encoded
from assay.habitability.encoders.encoder import Tokens
from assay.habitability.fusions.fusion import Fusion
from assay.habitability.fusions.training_mean import TrainingMean
from assay.habitability.settings import fusion_class
from tests.habitability import made

LEARNING = [name for name in FUSIONS if issubclass(fusion_class(name), Fusion)]
B, T, D = 6, 3, 16


def fusion(name: str) -> Fusion:
    torch.manual_seed(0)
    cls = fusion_class(name)
    return cls(cls.Settings.model_validate(made.TINY))


def encoded(reads=MODALITIES, seed: int = 1) -> Encoded:
    """Random tokens; planet 0 lacks everything, planet 1 nothing, planet m + 1 modality m - 1."""
    torch.manual_seed(seed)
    presence = torch.ones(B, len(MODALITIES), dtype=torch.bool)
    presence[0] = False
    presence[torch.arange(2, B), torch.arange(B - 2)] = False
    tokens = {
        name: Tokens(torch.randn(B, T, D), torch.ones(B, T, dtype=torch.bool)) for name in reads
    }
    return Encoded.of(tokens, presence)


@pytest.mark.parametrize("name", LEARNING)
def test_what_is_missing_is_never_read(name):
    join, given = fusion(name), encoded(fusion_class(name).reads)
    other = encoded(fusion_class(name).reads, seed=2)
    unread = replace(given, x_BTD=torch.where(given.there_BT[..., None], given.x_BTD, other.x_BTD))

    one, again = join(given), join(unread)

    assert not torch.equal(given.x_BTD, unread.x_BTD)
    torch.testing.assert_close(one.whole_BD, again.whole_BD)


@pytest.mark.parametrize("name", LEARNING)
def test_a_planet_of_which_nothing_is_known_has_a_state(name):
    found = fusion(name)(encoded(fusion_class(name).reads))

    assert torch.isfinite(found.whole_BD).all()
    torch.testing.assert_close(found.shares_BS.sum(1), torch.ones(B))


@pytest.mark.parametrize("name", LEARNING)
def test_every_modality_that_is_read_can_change_the_state(name):
    reads = fusion_class(name).reads
    join, given = fusion(name), encoded(reads)
    before = join(given).whole_BD[1]

    for modality in reads:
        own = given.of_T == MODALITIES.index(modality)
        changed = replace(given, x_BTD=given.x_BTD + own[:, None] * torch.randn(D))
        assert not torch.allclose(join(changed).whole_BD[1], before, atol=1e-4), modality


@pytest.mark.parametrize("name", LEARNING)
def test_no_planet_depends_on_the_others(name):
    join, given = fusion(name), encoded(fusion_class(name).reads)
    one = Encoded(given.x_BTD[2:3], given.mask_BT[2:3], given.of_T, given.presence_BM[2:3])

    torch.testing.assert_close(join(one).whole_BD, join(given).whole_BD[2:3], rtol=1e-4, atol=1e-5)


def test_members_of_a_late_ensemble_hear_nothing_of_each_other():
    join, given = fusion("late"), encoded()
    without = given.keeping(torch.tensor([True, False, True, True, True]))

    states, fewer = join(given), join(without)

    kept = [0, 2, 3, 4]
    torch.testing.assert_close(fewer.states_BSD[1, kept], states.states_BSD[1, kept])
    assert states.shares_BS[1].tolist() == pytest.approx([0.2] * 5 + [0])
    assert fewer.shares_BS[1].tolist() == pytest.approx([0.25, 0, 0.25, 0.25, 0.25, 0])
    assert states.shares_BS[0].tolist() == [0, 0, 0, 0, 0, 1]


def test_the_training_mean_tells_the_same_of_every_planet(batch, averages):
    floor = TrainingMean(averages)

    told = floor.tell(floor.encode(batch))

    chance = told.habitability.chance_BK
    torch.testing.assert_close(chance, averages.reached_K.expand_as(chance))
    torch.testing.assert_close(told.modalities["climate_cubes"][3],
                               averages.modalities["climate_cubes"])  # fmt: skip
    assert not list(floor.parameters())


def test_tokens_of_another_planet_come_with_their_presence():
    given = encoded()
    order = torch.tensor([1, 0, 2, 3, 4, 5])

    found = given.swapped(2, order)

    own = given.of_T == 2
    assert torch.equal(found.x_BTD[:, own], given.x_BTD[order][:, own])
    assert torch.equal(found.x_BTD[:, ~own], given.x_BTD[:, ~own])
    assert found.presence_BM[0].tolist() == [False, False, True, False, False]


def test_batches_of_longer_and_shorter_texts_are_joined():
    short, long = encoded(), encoded(seed=3)
    last = int(long.of_T[-1])
    long = replace(
        long,
        x_BTD=torch.cat([long.x_BTD, torch.randn(B, 2, D)], 1),
        mask_BT=torch.cat([long.mask_BT, torch.ones(B, 2, dtype=torch.bool)], 1),
        of_T=torch.cat([long.of_T, torch.tensor([last, last])]),
    )

    found = Encoded.joined([short, long])

    torch.testing.assert_close(found.pooled(), torch.cat([short.pooled(), long.pooled()]))
