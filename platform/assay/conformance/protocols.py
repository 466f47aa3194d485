"""What a protocol of scoring molecules must satisfy, on molecules of the mini set."""

import json
import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from assay.chemistry.molecules import Molecules
from assay.conformance.checks import require
from assay.generation.metrics.protocol import Scoring, ScoringProtocol
from assay.generation.metrics.reference import PreparedReference, open_molecules
from assay.store import sets
from assay.task import Estimate

SAMPLES = 40

Subject = ScoringProtocol[Molecules]


@cache
def scoring() -> Scoring[Molecules]:
    """Return real molecules as samples, held against the set that they are of."""
    sets.prepare("mini")
    reference: PreparedReference[Any] = open_molecules("mini")
    return Scoring(reference.of("validation").select(np.arange(SAMPLES)), reference)


def names_are_protocol_and_metric(protocol: Subject) -> None:
    """`edm/validity`: before the slash the protocol."""
    found = _found(protocol)
    require(found, "nothing is measured of real molecules with a reference")
    wrong = [name for name in found if name.partition("/")[0] != protocol.name]
    require(not wrong, f"{wrong[:1]} does not begin with {protocol.name}/")


def every_number_is_an_estimate_with_its_interval(protocol: Subject) -> None:
    """A metric is never a bare float."""
    for name, each in _found(protocol).items():
        require(isinstance(each, Estimate), f"{name} is a {type(each).__name__}, not an Estimate")
        numbers = (each.value, each.low, each.high)
        require(all(map(math.isfinite, numbers)), f"{name} is not finite")
        require(each.low <= each.value <= each.high, f"{name} lies outside its interval")
        require(each.n > 0, f"{name} has n = 0 though there are samples")
        require(each.version.startswith(protocol.version), f"{name} has another version")


def estimates_are_json(protocol: Subject) -> None:
    """They are written as they are."""
    plain = {name: each.model_dump() for name, each in _found(protocol).items()}
    require(json.loads(json.dumps(plain)) == plain, "numbers change on their way through JSON")


def scoring_again_gives_the_same(protocol: Subject) -> None:
    """Resampling has a seed."""
    require(_found(protocol) == _found(protocol), "a second scoring gives other numbers")


def the_order_of_samples_does_not_matter(protocol: Subject) -> None:
    """A file has no order."""
    held = scoring()
    turned = replace(held, samples=held.samples.select(np.arange(SAMPLES)[::-1]))
    here, there = _found(protocol), protocol.evaluate(turned)
    off = [n for n in here if not math.isclose(here[n].value, there[n].value, rel_tol=1e-9)]
    require(not off, f"{off[:1]} depends on the order of samples")


def what_could_not_be_read_never_helps(protocol: Subject) -> None:
    """A rejected record fails whatever can be failed."""
    here, worse = _found(protocol), protocol.evaluate(replace(scoring(), rejected=SAMPLES))
    for name, each in here.items():
        sign = 1 if each.better == "higher" else -1
        gained = name in worse and sign * (worse[name].value - each.value) > 1e-9
        require(not gained, f"{name} gains from records that could not be read")


def without_a_reference_it_says_less_and_raises_nothing(protocol: Subject) -> None:
    """What needs a reference is left out."""
    alone = protocol.evaluate(replace(scoring(), reference=None))
    more = alone.keys() - _found(protocol).keys()
    require(not more, f"{sorted(more)[:1]} is measured without a reference only")


CHECKS = (
    names_are_protocol_and_metric,
    every_number_is_an_estimate_with_its_interval,
    estimates_are_json,
    scoring_again_gives_the_same,
    the_order_of_samples_does_not_matter,
    what_could_not_be_read_never_helps,
    without_a_reference_it_says_less_and_raises_nothing,
)


def _found(protocol: Subject) -> dict[str, Estimate]:
    return protocol.evaluate(scoring())
