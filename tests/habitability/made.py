"""Small models of planets."""

import torch

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.model import HabitabilityModel, Negatives
from assay.habitability.model_settings import ModelSettings
from assay.habitability.settings import fusion_class
from assay.training.draws import Draws

TINY = {"size": "xs", "width": 16, "graph": {"width": 16, "heads": 2}}


def model_settings(fusion: str = "cross_attention", **settings) -> ModelSettings:
    return fusion_class(fusion).Settings.model_validate({**TINY, **settings})


def model(corpus, averages, fusion: str = "cross_attention", **settings) -> HabitabilityModel:
    torch.manual_seed(0)
    given = model_settings(fusion, **settings)
    return HabitabilityModel(given, fusion_class(fusion), corpus, averages, seed=0)


def draws(batch: MultiModalBatch, step: int = 3) -> Draws:
    return Draws(5, step, batch.record_ids)


def negatives(batch: MultiModalBatch, of: MultiModalBatch) -> Negatives:
    """`batch` as negatives of the planets of another one: who is in both is alike."""
    alike = of.record_ids[:, None] == batch.record_ids
    return Negatives(batch, alike)
