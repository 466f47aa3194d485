"""Which settings go together: what would have no effect, or no meaning, is refused."""

from assay.errors import ConfigError
from assay.generation.processes.process import ProcessSettings
from assay.generation.settings import CrystalSettings, GenerationSettings


def require_torus(settings: ProcessSettings, name: str) -> None:
    """Refuse settings of a process that crystals cannot have, whose coordinates are on a torus.

    Raises:
        ConfigError: names the setting, and the data set `name`.
    """
    path = getattr(settings, "path", "linear")
    if path != "linear":
        raise ConfigError(
            f"process.path {path}: on a torus the way from noise to data is a straight line; for "
            f"{name} leave process.path out"
        )
    if getattr(settings, "coupling", None) == "rotation":
        raise ConfigError(
            "process.coupling rotation: a crystal's cell has no orientation; use permutation, "
            "equivariant or independent"
        )
    if getattr(settings, "interpolant", "two_sided") == "one_sided":
        raise ConfigError(
            "process.interpolant one_sided: needs a Gaussian base, and that of a crystal's "
            "coordinates is uniform; leave it out"
        )


def require_agreement(
    chosen: GenerationSettings, name: str, *, own_crystals: bool, other_crystals: bool
) -> None:
    """Refuse settings that say nothing about the data of a cell.

    Args:
        chosen: the settings.
        name: of the cell's own data set.
        own_crystals: it holds crystals.
        other_crystals: there is a source, and it does.

    Raises:
        ConfigError: names the setting.
    """
    if not own_crystals and not other_crystals and chosen.crystals != CrystalSettings():
        raise ConfigError(f"settings.crystals: {name} holds molecules; leave it out")
    given = chosen.crystals.given == "composition"
    if given and not own_crystals:
        raise ConfigError(
            f"settings.crystals.given: structures are predicted of crystals, and {name} holds "
            "molecules; leave it out"
        )
    if given and "composition" in chosen.conditions.properties:
        raise ConfigError(
            "settings.conditions: with crystals.given composition the elements are known already; "
            "leave the property composition out"
        )
    if chosen.source is None and "data_set" in chosen.conditions.properties:
        raise ConfigError(
            "settings.conditions: the label data_set tells two data sets apart; name the other in "
            "settings.source, or leave the label out"
        )
