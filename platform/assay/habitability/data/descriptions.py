"""Descriptions of a planet and of who might live there, from templates of varied wording.

A description says in words what an observer would note down: the star, the light, the day, the
surface, and the organism that is asked about with the temperatures it likes. It names no target: no
words of habitability, no climate, no oxygen. What is said of a planet, and how, is drawn.
"""

from dataclasses import dataclass

import numpy as np

LABEL_WORDS = ("habitab", "inhabit", "livable", "viable", "suitab", "hospitab", "thriv")
"""What no description contains, by their beginnings."""


@dataclass(frozen=True)
class Described:
    """What is put into words."""

    star_K: float
    instellation: float
    radius_earths: float
    locked: bool
    rotation_d: float
    obliquity_deg: float
    ocean_fraction: float
    lowest_K: float | None
    """Of the organism's growth; None where none is asked about."""
    highest_K: float | None


STARS = (
    (3_300, ("a late red dwarf", "a cool, dim M star", "an ultracool red dwarf")),
    (4_000, ("a red dwarf", "an M dwarf", "an early M-type star")),
    (5_200, ("an orange dwarf", "a K dwarf", "a K-type star")),
    (9_999, ("a sunlike star", "a yellow dwarf", "a G-type star")),
)
LIGHTS = (
    (0.6, ("receives far less light than the Earth", "sits in dim, distant light")),
    (
        0.9,
        ("receives somewhat less light than the Earth", "gets a little less starlight than we do"),
    ),
    (1.1, ("receives about the light of the Earth", "gets roughly our own share of starlight")),
    (9.9, ("receives more light than the Earth", "lies in stronger light than ours")),
)
SIZES = (
    (0.9, ("small", "smaller than the Earth", "of less than the Earth's size")),
    (1.15, ("of the Earth's size", "about as large as the Earth")),
    (9.9, ("larger than the Earth", "of more than the Earth's size")),
)
SURFACES = (
    (0.3, ("mostly dry land", "a desert world with small seas", "land with scattered basins")),
    (0.7, ("continents and seas", "land and ocean in like measure", "several broad seas")),
    (1.1, ("a deep global ocean", "water with few islands", "ocean almost everywhere")),
)
LIKES = (
    (288, ("prefers the cold", "is a lover of cold waters", "is psychrophilic")),
    (306, ("prefers mild temperatures", "is mesophilic", "grows best in temperate places")),
    (323, ("tolerates warmth", "likes it warm", "grows best somewhat above room temperature")),
    (999, ("prefers great heat", "is thermophilic", "is a native of hot springs")),
)
BREADTHS = (
    (25, ("within a narrow range", "but only in a narrow band of temperatures")),
    (40, ("within a moderate range", "over a fair range of temperatures")),
    (999, ("over a wide range", "and bears large swings of temperature")),
)
OPENINGS = (
    "The planet is {size} and orbits {star}.",
    "A world of {star}, {size}.",
    "Its host is {star}; the planet is {size}.",
    "We look at a planet of {star}, {size}.",
)
FLUXES = ("It {light}.", "The planet {light}.", "As seen from its orbit, it {light}.")
LOCKED = ("One side always faces the star.", "It is tidally locked.",
          "Day and night never change places there.")  # fmt: skip
TURNING = ("A day lasts {day}, with an axial tilt of {tilt} degrees.",
           "It turns once in {day}, tilted by {tilt} degrees.",
           "Its tilt is {tilt} degrees and its day is {day}.")  # fmt: skip
GROUNDS = ("The surface shows {surface}.", "Maps suggest {surface}.", "There is {surface}.")
GUESTS = ("The organism in question {likes}, {breadth}.",
          "The microbe considered here {likes}, {breadth}.",
          "We ask about a microbe that {likes}, {breadth}.")  # fmt: skip
LEAST_SAID, SAID = 2, 0.75
"""Sentences about the planet, and the chance of each."""


def describe(draw: np.random.Generator, of: Described) -> str:
    """Return a description; what is said and how depends on `draw` alone."""
    parts = {
        "size": _word(draw, SIZES, of.radius_earths),
        "star": _word(draw, STARS, of.star_K),
        "light": _word(draw, LIGHTS, of.instellation),
        "surface": _word(draw, SURFACES, of.ocean_fraction),
        "day": _days(of.rotation_d),
        "tilt": f"{5 * round(of.obliquity_deg / 5)}",
    }
    kinds = [OPENINGS, FLUXES, LOCKED if of.locked else TURNING, GROUNDS]
    said = draw.random(len(kinds)) < SAID
    said[draw.permutation(len(kinds))[:LEAST_SAID]] = True
    sentences = [_pick(draw, kind).format(**parts) for kind, told in zip(kinds, said, strict=True)
                 if told]  # fmt: skip
    if of.lowest_K is not None and of.highest_K is not None:
        likes = _word(draw, LIKES, (of.lowest_K + of.highest_K) / 2)
        breadth = _word(draw, BREADTHS, of.highest_K - of.lowest_K)
        sentences.append(_pick(draw, GUESTS).format(likes=likes, breadth=breadth))
    order = draw.permutation(len(sentences))
    return " ".join(sentences[k] for k in order)


def _word(
    draw: np.random.Generator, table: tuple[tuple[float, tuple[str, ...]], ...], value: float
) -> str:
    """Return a wording of the first row whose limit the value is below."""
    return _pick(draw, next(words for limit, words in table if value < limit))


def _pick(draw: np.random.Generator, among: tuple[str, ...]) -> str:
    return among[draw.integers(len(among))]


def _days(days: float) -> str:
    return f"{round(24 * days)} hours" if days < 2 else f"{round(days)} days"
