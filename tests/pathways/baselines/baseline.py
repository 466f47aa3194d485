"""The models that a Graph VAE is held against, small enough to be tried many times."""

import torch

from assay.config import validate
from assay.pathways.catalog import MODELS
from assay.pathways.model import PathwayModel
from assay.pathways.settings import model_class
from tests.pathways import made

TINY = {
    "vgae": {"width": 16, "latents": 4},
    "graph_vae_mlp": {"width": 16, "latents": 6},
    "graphite": {"width": 16, "latents": 4},
    "autoregressive": {"width": 16, "edge_width": 8},
    "diffusion": {"width": 16, "depth": 2, "heads": 2, "pairs": 8, "steps": 6},
}
LEARNT = tuple(TINY)
FLOORS = tuple(name for name in MODELS if not model_class(name).learns)


def model(name: str, **settings) -> PathwayModel:
    torch.manual_seed(0)
    kind = model_class(name)
    given = {"size": "xs", **TINY[name], **settings} if name in TINY else settings
    return kind(validate(kind.Settings, given, "settings.model"), made.corpus())


def outcome(network: PathwayModel, batch, step=None):
    return network(batch, made.draws(batch), step)
