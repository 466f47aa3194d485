"""YAML and `key=value` overrides become validated, frozen settings with a canonical hash."""

import copy
import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from assay.errors import ConfigError

S = TypeVar("S", bound="Settings")
MOST_YAML_BYTES = 1 << 20
MOST_YAML_NODES = 20_000
Size = Literal[
    "xs", "s", "m", "l", "xl",
    "xs-parameters", "s-parameters", "m-parameters", "l-parameters", "xl-parameters",
]  # fmt: skip
"""One dial of a network. At equal size the networks of molecules and crystals cost the same FLOPs a
training step on molecules of 18 atoms, QM9's mean; on smaller and larger systems they drift apart
(1.4 times at 12 and 24 atoms), which a budget in FLOPs makes up for. At equal `…-parameters`, which
other families do not have, they have as many parameters.
"""


class Settings(BaseModel):
    """Base of everything configurable: frozen, and unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )


class SizedSettings(Settings):
    """Settings of a network: one dial, `size`, sets every field that is not given itself."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]]
    size: Size = "s"

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            size = data.get("size", cls.model_fields["size"].default)
            if size in get_args(Size) and size not in cls.presets:
                raise ValueError(f"size {size!r}: there is {', '.join(cls.presets)}")
            return {**cls.presets.get(size, {}), **data}
        return data


def canonical_json(settings: BaseModel | Mapping[str, Any]) -> str:
    """JSON with sorted keys and one spelling a number, equal in every process."""
    data = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else settings
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def digest16(settings: BaseModel | Mapping[str, Any]) -> str:
    """First 16 hex digits of SHA-256 over the canonical JSON."""
    return hashlib.sha256(canonical_json(settings).encode()).hexdigest()[:16]


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ConfigError: the file is missing, is not YAML, names a key twice, is absurdly large or
            is no mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_YAML_BYTES + 1)
        if len(content) > MOST_YAML_BYTES:
            raise ConfigError(f"{path}: is larger than a MiB: a suite or a cell is a page of YAML")
        data = parse_yaml(content.decode("utf-8"))
    except OSError as error:
        near = did_you_mean(path.name, (p.name for p in path.parent.glob("*.yaml")))
        raise ConfigError(f"{path}: cannot be read ({error.strerror}){near}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not valid YAML: nested too deeply") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values at the top level")
    return data


def parse_yaml(text: str) -> Any:
    """Return what a YAML text says; nothing in it is run, and aliases cannot make it explode.

    Raises:
        yaml.YAMLError: it is not YAML, names a key twice, or stands for too much.
        RecursionError: it is nested too deeply.
    """
    loader = _UniqueKeyLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def apply_overrides(data: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return `data` with `a.b=value` overrides applied; values are read as YAML.

    Raises:
        ConfigError: an override is not `key=value`, or its path runs through a plain value.
    """
    result = copy.deepcopy(dict(data))
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key.strip():
            raise ConfigError(f"--set {override!r}: expected key=value, such as training.ema=0.99")
        try:
            value = parse_yaml(text)
        except (yaml.YAMLError, RecursionError) as error:
            raise ConfigError(f"--set {override!r}: the value is not valid YAML") from error
        set_dotted(result, key.strip(), value)
    return result


def set_dotted(data: dict[str, Any], key: str, value: Any) -> None:
    """Set `data[a][b] = value` for the key `a.b`, making mappings on the way.

    Raises:
        ConfigError: the path runs through a value that is not a mapping.
    """
    *parents, last = key.split(".")
    node = data
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise ConfigError(f"{key}: {parent!r} is a plain value, it has no keys below it")
    node[last] = value


def validate(model: type[S], data: Any, source: str) -> S:
    """Validate `data` as `model`; the first fault becomes one sentence.

    Raises:
        ConfigError: names `source`, the key, the fault and the nearest known key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(model, error)}") from error
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the known words, or nothing."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(choices)}" if 0 < len(choices) <= 24 else ""


def choose(kind: str, word: str, known: Iterable[str]) -> str:
    """Return `word` if it is known.

    Raises:
        ConfigError: it is not; the sentence names the nearest.
    """
    choices = list(known)
    if word not in choices:
        raise ConfigError(f"unknown {kind} {word!r}{did_you_mean(str(word), choices)}")
    return word


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    # A misspelt key explains the required key that is missing beside it: it comes first.
    first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, first["loc"][:-1])
        return f"unknown key {where!r}{did_you_mean(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"key {where!r} is required"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    given = first.get("input")
    plain = isinstance(given, str | int | float | bool) or given is None
    shown = f" (given: {given!r})" if plain and where else ""
    return f"{where}: {message}{shown}" if where else message


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    here: type[BaseModel] | None = model
    for part in path:
        field = here.model_fields.get(str(part)) if here else None
        here = next(_models_in(field.annotation), None) if field else None
    return list(here.model_fields) if here else []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


class _UniqueKeyLoader(yaml.SafeLoader):
    """The safe loader, refusing a key that is written twice and aliases that multiply."""

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None and _size(node, {}) > MOST_YAML_NODES:
            raise yaml.MarkedYAMLError(
                None, None, f"stands for more than {MOST_YAML_NODES:,} values", node.start_mark
            )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = next((key for k, key in enumerate(keys) if key in keys[:k]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice!r} is written twice", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """Return how many values a node stands for, aliases followed; infinite if it holds itself."""
    if id(node) not in known:
        known[id(node)] = float("inf")  # while it is open, so that a cycle is infinite
        below = node.value if isinstance(node, yaml.CollectionNode) else ()
        children = (each for child in below for each in _children(child))
        known[id(node)] = 1 + sum(_size(each, known) for each in children)
    return known[id(node)]


def _children(child: Any) -> tuple[yaml.Node, ...]:
    return child if isinstance(child, tuple) else (child,)
