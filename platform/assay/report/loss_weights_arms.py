"""Ways of weighing losses as searches of equal budget: one suite for each, made from one suite.

Every way has as many trials. What the ways have in common, such as the learning rate, is searched
in each of them; so a way that has nothing of its own to tune is tuned as long as any other.

A scheduler that stops poor trials watches one figure, the same in every way but those of one loss
alone, which are held by their own objective.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from assay.cell import Suite
from assay.config import did_you_mean, set_dotted, validate
from assay.errors import ConfigError

TUNED, DEFAULTS, SINGLE = "tuned", "defaults", "single_"
OWN: Mapping[str, Mapping[str, Any]] = {
    "equal": {},
    "initial_scale": {},
    "random": {},
    "uncertainty": {},
    "dwa": {"temperature": {"float": [0.5, 8.0], "log": True}},
    "pcgrad": {},
    "famo": {"rate": {"float": [2.5e-3, 0.25], "log": True}},
}
"""Methods of `assay.training.balancing`, with what each has of its own to tune."""
WEIGHTED = ("val/loss", "val/weighted/")
"""Figures that the weights themselves make large or small."""
_WEIGHTS = ".weights."
_DIGEST = "0" * 16
"""Stands for the data set's, of which settings do not depend."""


@dataclass(frozen=True)
class Task:
    """A loss that is also trained alone, and what judges it."""

    loss: str
    objective: str
    """Of the search, on validation."""
    metrics: tuple[str, ...]
    """Of the protocol: what a model of all losses is compared by with the one of this loss."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `LOSS=OBJECTIVE:METRIC[,METRIC…]`.

        Raises:
            ConfigError: it is not such.
        """
        loss, _, rest = text.partition("=")
        objective, _, metrics = rest.partition(":")
        if not (loss and objective and all(metrics.split(","))):
            raise ConfigError(
                f"task {text!r}: expected LOSS=OBJECTIVE:METRIC, such as "
                "classification=val/r2:habitability/mae"
            )
        return cls(loss, objective, tuple(metrics.split(",")))


def titles(arms: Sequence[str]) -> dict[str, str]:
    """Return what arms are called."""
    words = {
        TUNED: "tuned weights",
        DEFAULTS: "the given weights",
        "equal": "equal weights",
        "initial_scale": "1 / first loss",
        "random": "random weights",
        "uncertainty": "uncertainty",
        "dwa": "DWA",
        "pcgrad": "PCGrad",
        "famo": "FAMO",
    }
    return {arm: words.get(arm, f"{arm.removeprefix(SINGLE)} alone") for arm in arms}


def arms(suite: Suite, tasks: Sequence[Task]) -> dict[str, Suite]:
    """Return a suite for each way of weighing the losses of a suite's only variant.

    Args:
        suite: Its search tries weights, keys that end in `.weights.<loss>`, on a log scale and all
            but one, and something else besides.
        tasks: At least one; the loss of each is also trained alone, with its objective.

    Raises:
        ConfigError: the search is not such a one; says what to change.
    """
    search = suite.search
    if search is None or len(suite.variants()) != 1:
        raise ConfigError(
            f"suite {suite.name}: ways of weighing are compared on one variant, by what a `search` "
            "section tries (docs/search.md)"
        )
    weights = [key for key in search.space if _WEIGHTS in key]
    common = [key for key in search.space if key not in weights]
    root = _root(suite, weights)
    _require_ratios(suite, root, weights)
    _require_unweighted(suite)
    if not common:
        raise ConfigError(
            f"suite {suite.name}: the search tries nothing but weights, so that ways without any "
            "would have nothing to try: add training.learning_rate to its space"
        )
    for objective in search.objectives:
        if not objective.is_validation:
            raise ConfigError(
                f"suite {suite.name}: the search chooses by {objective.metric}, of the test split, "
                "by which the ways are then compared: give it val/… figures"
            )
    objectives = [objective.metric for objective in search.objectives]
    for task in tasks:
        if task.objective not in objectives:
            near = did_you_mean(task.objective, objectives)
            raise ConfigError(
                f"task {task.loss}: {task.objective} is no objective of suite {suite.name}{near}"
            )
    space = search.model_dump(mode="json", exclude_none=True)["space"]
    shared = {key: space[key] for key in common}
    made = {
        TUNED: _arm(suite, TUNED, space),
        DEFAULTS: _arm(suite, DEFAULTS, shared),
    }
    for method, own in OWN.items():
        tried = shared | {f"{root}.balancing.{key}": dimension for key, dimension in own.items()}
        made[method] = _arm(suite, method, tried, {f"{root}.balancing": {"method": method}})
    for task in tasks:
        alone = {f"{root}.balancing": {"method": "single", "loss": task.loss}}
        made[SINGLE + task.loss] = _arm(suite, SINGLE + task.loss, shared, alone, [task.objective])
    return made


def _root(suite: Suite, weights: Sequence[str]) -> str:
    """Return the settings of which weights and balancing are a part."""
    roots = {key.rpartition(_WEIGHTS)[0] for key in weights}
    if len(roots) != 1:
        what = (
            "no weights" if not roots else f"weights of several parts, {', '.join(sorted(roots))}"
        )
        raise ConfigError(
            f"suite {suite.name}: the search tries {what}: give keys such as "
            "settings.model.weights.reconstruction, of one part"
        )
    return roots.pop()


def _require_ratios(suite: Suite, root: str, weights: Sequence[str]) -> None:
    assert suite.search is not None
    for key in weights:
        if not suite.search.space[key].log:
            raise ConfigError(
                f"suite {suite.name}: {key} is a ratio of weights: give its range with log: true"
            )
    found: Any = suite.cells(_DIGEST)[0].model_dump(mode="json")
    for word in (*root.split("."), "weights"):
        found = found[word]
    if {f"{root}{_WEIGHTS}{loss}" for loss in found} <= {*weights}:
        raise ConfigError(
            f"suite {suite.name}: all weights are searched, though only their ratios matter: "
            f"leave one of {', '.join(sorted(found))} fixed"
        )


def _require_unweighted(suite: Suite) -> None:
    """See that no trial is stopped by a figure that its own weights make large or small."""
    watched = suite.search.watched if suite.search is not None else None
    if watched is not None and watched.metric.startswith(WEIGHTED):
        raise ConfigError(
            f"suite {suite.name}: the scheduler watches {watched.metric}, a weighted loss, which "
            "falls with the weights that are tried: let it watch a figure of a task, such as an "
            "objective"
        )


def _arm(
    suite: Suite,
    name: str,
    space: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    judged: Sequence[str] | None = None,
) -> Suite:
    plain = suite.model_dump(mode="json", exclude_none=True)
    plain["name"] = f"{suite.name}_{name}"
    plain["title"] = f"{suite.title}: {titles([name])[name]}"
    plain["search"]["space"] = dict(space)
    if judged is not None:
        of_all = plain["search"]["objectives"]
        plain["search"]["objectives"] = [each for each in of_all if each["metric"] in judged]
        _watch_own(plain)
    for key, value in (settings or {}).items():
        set_dotted(plain, key, value)
    return validate(Suite, plain, f"suite {suite.name}, {name}")


def _watch_own(plain: dict[str, Any]) -> None:
    """Let a scheduler watch the only objective."""
    search = plain["search"]
    (objective,) = search["objectives"]
    if not search.get("scheduler"):
        return
    if not objective["metric"].startswith("val/"):
        raise ConfigError(
            f"suite {plain['name']}: its only objective, {objective['metric']}, is known at the "
            "end alone, so that no scheduler can watch it: name one of val/…, or no scheduler"
        )
    (rule,) = search["scheduler"].values()
    rule.update(objective)
