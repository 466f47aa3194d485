"""What the catalogued sets of planets have in common."""

from assay.store.sets import DataSet


class PlanetSet(DataSet):
    """A data set of planets with metabolic networks, climates, spectra, words and parameters."""

    kind = "planets"
