"""The families and data sets of Assay, by name: the only list of them.

Entries are import paths: nothing is imported before it is asked for. Other packages add theirs by
entry points (`assay.plugins`).
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from assay.config import choose
from assay.errors import ConfigError
from assay.plugins import with_plugins

if TYPE_CHECKING:
    from assay.task import Task

FAMILIES: Mapping[str, str] = {
    "captioning": "assay.captioning.task:CaptioningTask",
    "generation": "assay.generation.task:GenerationTask",
    "habitability": "assay.habitability.task:HabitabilityTask",
    "interactions": "assay.interactions.task:InteractionsTask",
    "pathways": "assay.pathways.task:PathwaysTask",
}

DATA_SETS: Mapping[str, str] = {
    "captions_pool": "assay.captioning.data.captions_pool:CAPTIONS_POOL",
    "chebi20": "assay.captioning.data.chebi20:CHEBI20",
    "mini": "assay.generation.data.mini:MINI",
    "mini_captions": "assay.captioning.data.mini_captions:MINI_CAPTIONS",
    "mini_crystals": "assay.generation.data.mini_crystals:MINI_CRYSTALS",
    "mini_links": "assay.interactions.data.mini_links:MINI_LINKS",
    "mini_planets": "assay.habitability.data.mini_planets:MINI_PLANETS",
    "planets": "assay.habitability.data.planets:PLANETS",
    "planets_natives": "assay.habitability.data.planets:PLANETS_NATIVES",
    "gcm_planets": "assay.habitability.data.gcm_planets:GCM_PLANETS",
    "mini_pathways": "assay.pathways.data.mini_pathways:MINI_PATHWAYS",
    "mp20": "assay.generation.data.mp20:MP20",
    "ogbl_ddi": "assay.interactions.data.ogbl_ddi:OGBL_DDI",
    "ogbl_ddi_cold": "assay.interactions.data.ogbl_ddi_cold:OGBL_DDI_COLD",
    "biosnap": "assay.interactions.data.biosnap:BIOSNAP",
    "metacyc": "assay.pathways.data.metacyc:METACYC_SET",
    "wikipathways": "assay.pathways.data.wikipathways:WIKIPATHWAYS",
    "bigg_subsystems": "assay.pathways.data.bigg:BIGG_SUBSYSTEMS",
    "qm9": "assay.generation.data.qm9:QM9",
    "qm9_gap": "assay.generation.data.qm9_gap:QM9_GAP",
}

FAMILIES = with_plugins("assay.families", FAMILIES)
DATA_SETS = with_plugins("assay.data_sets", DATA_SETS)

ASSETS: Mapping[str, str] = {
    "caption-metrics": "assay.captioning.metrics.assets:CAPTION_METRICS",
}
"""What else `assay data prepare` prepares: files that protocols need, not records."""


@cache
def load(target: str) -> Any:
    """Import `package.module:Name` and return the object.

    Raises:
        ConfigError: it is another package's, and not there.
    """
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        if module.partition(".")[0] == "assay":
            raise
        raise ConfigError(f"{target}: cannot be imported ({error})") from error


def family(name: str) -> "type[Task]":
    """Return the Task class of a family.

    Raises:
        ConfigError: there is no such family; the sentence names the nearest.
    """
    return cast("type[Task]", load(FAMILIES[choose("family", name, FAMILIES)]))
