"""What is known of the programs that README and docs call: each checks the words it is given.

A command line is held against the program's own parser; nothing is run. Where a program has no
parser that can be asked, its options must at least stand in its source.
"""

import argparse
import importlib
import inspect
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from assay import catalog
from assay.captioning.metrics.evaluate import PROTOCOLS
from assay.cell import Suite, load_suite, select
from assay.cluster.drills.catalog import DRILLS
from assay.config import choose
from assay.generation.catalog import CRYSTAL_PROTOCOLS, MOLECULE_PROTOCOLS
from tests.docs.shell import commands_of
from tests.jobs import module_of
from tests.test_cli import ROOT
from tests.test_cli_help import ROOT_COMMAND, parsed
from tests.test_extending import FILES as EXAMPLE

DIGEST = "0" * 32
IN_THE_IMAGE = "/home/ray/assay/"
"""Where docker/Dockerfile puts the repository."""
OURS = ("sweeps/", "jobs/", "benchmarks/", "docker/", "docs/", "tests/", "results/")
MADE_BY_A_JOB = frozenset({"results/captions_chebi20"})
"""Folders of `results/` that a page tells how to make."""
BUILTINS = frozenset({"export", "cd", "umask", "mkdir", "cat", "."})


def check(words: Sequence[str]) -> None:
    """Hold a command against what its program takes.

    Raises:
        AssertionError, or what the program's own parser raises.
    """
    program, *rest = words
    program = program.removeprefix(".venv/bin/")
    if program in BUILTINS:
        return
    if program.startswith("docker/"):
        assert rest == [], words
        assert (ROOT / program).stat().st_mode & 0o100, f"{program} cannot be run"
        return
    assert program in PROGRAMS, f"no rule knows the program {program!r}"
    PROGRAMS[program](rest)


def file_of_ours(word: str) -> Path:
    """Return a file of the repository, which must be there, as it is or in the image."""
    path = ROOT / word.removeprefix(IN_THE_IMAGE).rstrip("/")
    assert path.exists(), f"there is no {word}"
    return path


@cache
def suite_of(path: str, overrides: tuple[str, ...] = ()) -> Suite:
    """Read a suite of the repository with `--set`, and see that every cell of it is valid."""
    suite = load_suite(file_of_ours(path), overrides)
    choose("data set", suite.data.partition("@")[0], catalog.DATA_SETS)
    assert suite.cells(DIGEST)
    return suite


def assay(words: list[str]) -> None:
    """Parse; names of data sets, drills and cells must be known, files of ours be there."""
    if words[0].startswith("-"):
        context = ROOT_COMMAND.make_context("assay", [], resilient_parsing=True)
        options = {name for each in ROOT_COMMAND.get_params(context) for name in each.opts}
        assert words[0] in options, f"assay has no option {words[0]}"
        return
    given = parsed(words).params
    for value in given.values():
        for each in value if isinstance(value, tuple | list) else (value,):
            if str(each).startswith(OURS) and str(each) not in MADE_BY_A_JOB:
                file_of_ours(str(each))
    if words[0] == "data" and given.get("name"):
        _known_set(given["name"])
    if words[0] == "evaluate":
        reference = given.get("reference")
        if reference and not reference.endswith(".jsonl"):
            _known_set(reference)
        for name in given.get("protocol") or ():
            choose("protocol", name, _protocols())
    for name in given.get("names") or () if words[0] == "drill" else ():
        choose("drill", name, [*DRILLS, "all"])
    if any("YOUR_" in word for word in words):
        return
    path = str(given.get("path") or given.get("suite") or "")
    if words[0] in ("train", "plan") and path.startswith("sweeps/"):
        suite = suite_of(path, tuple(given["overrides"] or ()))
        if given.get("cell"):
            select(suite.named_cells(DIGEST), given["cell"])


def _known_set(name: str) -> None:
    known = [*catalog.DATA_SETS, *catalog.ASSETS, *_of_the_example("data_sets")]
    choose("data set", name.partition("@")[0], known)


def _protocols() -> list[str]:
    ours = [*MOLECULE_PROTOCOLS, *CRYSTAL_PROTOCOLS, *PROTOCOLS]
    return [*ours, *_of_the_example("molecule_protocols")]


def _of_the_example(group: str) -> list[str]:
    """Return what docs/extending.md's plug-in adds to a group of entry points."""
    project = tomllib.loads(EXAMPLE["pyproject.toml"])["project"]
    return list(project["entry-points"][f"assay.{group}"])


def python(words: list[str]) -> None:
    """Check a script of ours, or pytest on files of ours."""
    if words[0] == "-m":
        assert words[1] in ("pytest", "http.server"), words
        for word in words[2:] if words[1] == "pytest" else ():
            file_of_ours(word)
        return
    path, arguments = file_of_ours(words[0]), words[1:]
    if path.parent.name == "jobs":
        job(path, arguments)
    else:
        _words_of_source(path.read_text("utf-8"), arguments)


def job(path: Path, arguments: list[str]) -> None:
    """Parse with the job's own parser, and read the suite that it would run."""
    try:
        given: argparse.Namespace = module_of(path).parse(arguments)
    except SystemExit as stop:
        raise AssertionError(f"{path.name} refuses {arguments}") from stop
    where = given.suite.as_posix()
    if not where.startswith("runs/"):
        suite_of(str(Path(where).relative_to(ROOT) if given.suite.is_absolute() else where),
                 tuple(given.overrides))  # fmt: skip


def _words_of_source(source: str, arguments: Sequence[str]) -> None:
    """See that options, and what follows none, are words of the program's source."""
    after_option = False
    for word in arguments:
        option = word.partition("=")[0]
        if word.startswith("--"):
            assert f'"{option}"' in source, f"no option {option}"
        elif not after_option and not word.isdigit() and "/" not in word:
            assert re.search(rf"\b{re.escape(word)}\b", source), f"{word!r} is not known"
        after_option = word.startswith("--") and "=" not in word


def make(words: list[str]) -> None:
    """See that targets and variables are those of the Makefile."""
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    variables = set(re.findall(r"^(?:export )?([A-Z_]+) \??:?=", text, re.MULTILINE))
    for word in words:
        name, separator, _ = word.partition("=")
        assert name in (variables if separator else targets), f"make knows no {name}"


def ray(words: list[str]) -> None:
    """Parse with Ray's commands; what a job or `ray exec` runs is checked as well."""
    cli = importlib.import_module("ray.scripts.scripts").cli
    given = _clicked(cli, words)
    if "cluster_config_file" in given:
        file_of_ours(given["cluster_config_file"])
    if "entrypoint" in given:
        check(given["entrypoint"])
    if given.get("cmd"):
        for each in commands_of(given["cmd"]):
            check(each)


def mlflow(words: list[str]) -> None:
    """Parse with MLflow's commands."""
    _clicked(importlib.import_module("mlflow.cli").cli, words)


def _clicked(command: Any, words: Sequence[str]) -> dict[str, Any]:
    """Return what a command line gives, parsed as the shell would give it."""
    context, rest = None, list(words)
    while hasattr(command, "commands"):
        context = command.make_context(rest[0], [], parent=context, resilient_parsing=True)
        below = command.get_command(context, rest[0])
        assert below is not None, f"there is no command {rest[0]}"
        command, rest = below, rest[1:]
    return command.make_context("", rest, parent=context).params


def optuna_dashboard(words: list[str]) -> None:
    """See that the options are its own."""
    module = importlib.import_module("optuna_dashboard._cli")
    for option in (word for word in words if word.startswith("--")):
        assert f'"{option}"' in inspect.getsource(module), option


def docker(words: list[str]) -> None:
    """See that files, build arguments and profiles are those of docker/."""
    assert words[0] in ("build", "compose", "push"), words
    files = {"-f": file_of_ours, "--build-arg": _build_argument, "--profile": _profile}
    for option, value in pairwise(words):
        if option in files:
            files[option](value)


def _build_argument(word: str) -> None:
    name = word.partition("=")[0]
    assert re.search(rf"^ARG {name}\b", (ROOT / "docker" / "Dockerfile").read_text(), re.M), name


def _profile(name: str) -> None:
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
    assert any(name in each.get("profiles", ()) for each in services.values()), name


def kubectl(words: list[str]) -> None:
    """See that manifests are there, and that what is named is named so in them."""
    assert words[0] in ("create", "apply", "get", "logs", "delete"), words
    text = (ROOT / "docker" / "kuberay" / "rayjob.yaml").read_text()
    for option, value in pairwise(words):
        if option == "-f":
            file_of_ours(value)
        if option in ("rayjob", "generic") and not value.startswith("-"):
            assert value in text, value


def pip(words: list[str]) -> None:
    """See that extras are declared."""
    assert words[0] == "install", words
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in re.findall(r"\[([\w,-]+)\]", " ".join(words)):
        assert set(extra.split(",")) <= project["optional-dependencies"].keys(), extra


def git(words: list[str]) -> None:
    """See that it is one of the few commands that the pages use."""
    assert words[0] in ("clone", "rev-parse", "checkout"), words


PROGRAMS: Mapping[str, Callable[[list[str]], None]] = {
    "assay": assay, "docker": docker, "git": git, "kubectl": kubectl, "make": make,
    "mlflow": mlflow, "optuna-dashboard": optuna_dashboard, "pip": pip, "python": python,
    "ray": ray,
}  # fmt: skip
