import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config import (
    Settings,
    SizedSettings,
    apply_overrides,
    canonical_json,
    choose,
    digest16,
    load_yaml,
    validate,
)
from assay.errors import ConfigError


class Inner(Settings):
    rate: float = 0.1
    count: int = 3


class Outer(Settings):
    name: str
    inner: Inner = Inner()
    tags: tuple[str, ...] = ()


class Network(SizedSettings):
    presets = {"xs": {"width": 8, "depth": 1}, "s": {"width": 16, "depth": 2}}
    width: int
    depth: int


def test_the_key_ignores_key_order_and_the_spelling_of_floats(tmp_path):
    spellings = [
        "name: a\ninner: {rate: 0.001, count: 4}",
        "inner: {count: 4, rate: 1e-3}\nname: a",
        "inner:\n  count: 4\n  rate: 1.0e-03\nname: 'a'",
    ]
    keys = set()
    for number, text in enumerate(spellings):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text)
        keys.add(digest16(validate(Outer, load_yaml(path), "x")))

    assert keys == {"28f4583e5b209740"}


def test_an_integer_given_for_a_float_is_that_float():
    assert digest16(Inner(rate=1)) == digest16(Inner(rate=1.0))


@pytest.mark.parametrize(
    "other",
    [
        {"name": "b"},
        {"name": "a", "inner": {"rate": 0.2}},
        {"name": "a", "inner": {"count": 4}},
        {"name": "a", "tags": ["x"]},
    ],
)
def test_any_field_changes_the_key(other):
    assert digest16(Outer(name="a")) != digest16(Outer.model_validate(other))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_canonical_json_round_trips_every_float(value):
    assert Inner.model_validate_json(canonical_json(Inner(rate=value))).rate == value


def test_the_dial_sets_what_is_not_given_itself():
    assert Network(size="xs") == Network(size="xs", width=8, depth=1)
    assert Network(size="xs", width=32).depth == 1
    assert Network().width == 16


@pytest.mark.parametrize(
    ("given_data", "sentence"),
    [
        ({}, "x.yaml: key 'name' is required"),
        ({"nme": "a"}, "x.yaml: unknown key 'nme'; did you mean 'name'?"),
        (
            {"name": "a", "iner": {}},
            "x.yaml: unknown key 'iner'; did you mean 'inner'?",
        ),
        (
            {"name": "a", "inner": {"rte": 1}},
            "x.yaml: unknown key 'inner.rte'; did you mean 'rate'?",
        ),
        (
            {"name": "a", "inner": {"rate": "fast"}},
            "x.yaml: inner.rate: input should be a valid number",
        ),
        ({"name": "a", "inner": {"rate": float("nan")}}, "x.yaml: inner.rate: input should be"),
    ],
)
def test_a_fault_is_one_sentence_that_names_the_key(given_data, sentence):
    with pytest.raises(ConfigError) as error:
        validate(Outer, given_data, "x.yaml")

    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_overrides_reach_inside_and_are_read_as_yaml():
    data = {"a": {"b": 1}, "c": [1]}

    changed = apply_overrides(data, ["a.b=2.5", "a.new.deep=[1, 2]", "c=text", "d=true"])

    assert changed == {"a": {"b": 2.5, "new": {"deep": [1, 2]}}, "c": "text", "d": True}
    assert data == {"a": {"b": 1}, "c": [1]}


@pytest.mark.parametrize("override", ["novalue", "=3", "a.b.c=1", "a={"])
def test_a_bad_override_is_refused(override):
    with pytest.raises(ConfigError):
        apply_overrides({"a": {"b": 1}}, [override])


def test_yaml_faults_name_the_file(tmp_path):
    (tmp_path / "grid.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "broken.yaml").write_text("a: [1\n")

    with pytest.raises(ConfigError, match="'a' is written twice"):
        load_yaml(tmp_path / "grid.yaml")
    with pytest.raises(ConfigError, match="expected a mapping"):
        load_yaml(tmp_path / "list.yaml")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_yaml(tmp_path / "broken.yaml")
    with pytest.raises(ConfigError, match=r"cannot be read.*did you mean 'grid\.yaml'"):
        load_yaml(tmp_path / "grit.yaml")


def test_yaml_makes_no_python_objects(tmp_path):
    (tmp_path / "evil.yaml").write_text("a: !!python/object/apply:os.system ['true']\n")

    with pytest.raises(ConfigError):
        load_yaml(tmp_path / "evil.yaml")


def test_an_unknown_name_meets_its_nearest():
    with pytest.raises(ConfigError, match="unknown process 'difusion'; did you mean 'diffusion'"):
        choose("process", "difusion", ["diffusion", "flow_matching"])
