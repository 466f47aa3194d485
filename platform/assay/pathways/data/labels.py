"""What people call the compounds and pathways of a set, where its source says so.

Graphs name both by the source's ids, by which models learn and are judged; labels are for who
looks at them.

Shapes: G graphs, V compounds.
"""

import html
import re
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.pathways.graphs import PathwayGraphs
from assay.store.texts import Texts

_MARKUP = re.compile(r"</?\w+>")


@dataclass(frozen=True)
class Labels:
    """Of a whole set, row by row."""

    compounds: Texts
    """(V,)."""
    pathways: Texts
    """(G,)."""
    classes: Texts
    """(G,) the class that the source puts a pathway in; "" where it names none."""

    @classmethod
    def plain(cls, graphs: PathwayGraphs) -> Self:
        """Return the ids themselves, and no class: of a set whose source has no other names."""
        return cls(graphs.compounds, graphs.ids, Texts.of([""] * len(graphs)))

    def select(self, indices: NDArray[np.integer]) -> Self:
        """Return the labels with those of the graphs at `indices`, in that order."""
        chosen = np.asarray(indices, np.int64)
        return type(self)(self.compounds, self.pathways.select(chosen), self.classes.select(chosen))


def unmarked(text: str) -> str:
    """Return a name without HTML: `&beta;-alanine` as β-alanine, `<i>N</i>` as N."""
    return html.unescape(_MARKUP.sub("", text))
