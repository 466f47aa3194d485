"""What other packages add to the catalogs by entry points: no edit of Assay, one line of theirs.

    [project.entry-points."assay.architectures"]
    mean_field = "my_package.mean_field:MeanField"

Nothing of a plug-in is imported before it is asked for by name. `docs/extending.md` has an example
of each.
"""

from collections.abc import Mapping
from functools import cache
from importlib import metadata

from assay.errors import ConfigError

OWN = "assay-bench"
GROUPS = (
    "assay.families",
    "assay.data_sets",
    "assay.architectures",
    "assay.processes",
    "assay.properties",
    "assay.molecule_protocols",
    "assay.crystal_protocols",
    "assay.energies",
    "assay.encoders",
    "assay.node_features",
    "assay.caption_generators",
    "assay.pathway_models",
    "assay.fusions",
)
"""One for each catalog."""


def with_plugins(group: str, own: Mapping[str, str]) -> dict[str, str]:
    """Return a catalog with what other packages add to it.

    Args:
        group: One of `GROUPS`.
        own: Import paths by name.

    Raises:
        ConfigError: a package adds a name that is taken.
    """
    found = dict(own)
    for entry in _entry_points().select(group=group):
        if found.get(entry.name, entry.value) != entry.value:
            package = entry.dist.name if entry.dist is not None else "a package"
            raise ConfigError(
                f"plug-in {entry.value} of {package}: {group} has {entry.name!r} already "
                f"({found[entry.name]}); give it another name, or uninstall {package}"
            )
        found[entry.name] = entry.value
    return found


@cache
def distributions() -> dict[str, str]:
    """Return the versions of the packages that add something, by name: they decide numbers, too."""
    entries = (entry for group in GROUPS for entry in _entry_points().select(group=group))
    found = {e.dist.name: e.dist.version for e in entries if e.dist is not None}
    return {name: version for name, version in found.items() if name != OWN}


@cache
def _entry_points() -> "metadata.EntryPoints | metadata.SelectableGroups":  # as of 3.11
    return metadata.entry_points()
