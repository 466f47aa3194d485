"""Rules that keep the repository itself sound."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def python(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    ).stdout


def test_platform_is_a_source_root_and_no_package():
    assert not (ROOT / "platform" / "__init__.py").exists()


@pytest.mark.parametrize("path", [".", "platform"])
def test_import_platform_is_the_standard_librarys_from_the_root(path):
    file = python("import platform; platform.system(); print(platform.__file__)", PYTHONPATH=path)

    assert ROOT not in Path(file.strip()).parents


@pytest.mark.parametrize(
    "code",
    ["import assay", "from assay.cli import app; app(['--help'], standalone_mode=False)"],
    ids=["import assay", "assay --help"],
)
def test_the_door_opens_without_torch_and_ray(code):
    loaded = "import sys, json; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"

    modules = set(json.loads(python(f"{code}; {loaded}").splitlines()[-1]))

    assert not {"torch", "ray", "mlflow", "rdkit", "pandas"} & modules
    assert "assay" in modules


@pytest.mark.parametrize("words", [["-c", "import assay"], ["-m", "assay.cli", "--help"]])
def test_the_door_opens_within_a_second(words):
    took = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
        took.append(time.perf_counter() - started)

    assert min(took) < 1.0


def test_every_catalogued_name_can_be_loaded():
    from assay import catalog
    from assay.captioning.catalog import GENERATORS
    from assay.generation.catalog import ARCHITECTURES, PROCESSES
    from assay.habitability.catalog import FUSIONS
    from assay.interactions.catalog import ENCODERS
    from assay.pathways.catalog import MODELS

    for target in (
        *catalog.FAMILIES.values(),
        *catalog.DATA_SETS.values(),
        *catalog.ASSETS.values(),
        *ARCHITECTURES.values(),
        *PROCESSES.values(),
        *ENCODERS.values(),
        *GENERATORS.values(),
        *MODELS.values(),
        *FUSIONS.values(),
    ):
        assert catalog.load(target) is not None


def test_the_citation_is_of_this_version():
    import yaml

    import assay

    told = yaml.safe_load((ROOT / "CITATION.cff").read_text())

    assert told["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= told.keys()
    assert (told["version"], told["license"]) == (assay.__version__, "Apache-2.0")


def test_documented_protocols_have_the_versions_of_the_code():
    import re

    from assay import catalog
    from assay.captioning.metrics.evaluate import PROTOCOLS
    from assay.generation.catalog import CRYSTAL_PROTOCOLS, MOLECULE_PROTOCOLS
    from assay.generation.metrics import csp, sun
    from assay.interactions import metrics as links
    from assay.pathways.metrics import (
        calibration,
        conditional,
        discriminator,
        flux,
        isomorphism,
        mmd,
        validity,
    )

    headings = "\n".join(path.read_text() for path in (ROOT / "docs").glob("protocols*.md"))
    told = dict(re.findall(r"^## `(\w+)`, version (\S+)$", headings, re.MULTILINE))
    classes = [
        catalog.load(each) for each in (*MOLECULE_PROTOCOLS.values(), *CRYSTAL_PROTOCOLS.values())
    ]
    classes += [PROTOCOLS["molt5"], PROTOCOLS["groups"]]
    known = {each.name: each.version for each in classes} | {
        "csp": csp.VERSION,
        "sun": sun.SUN.version,
        "ogb": links.VERSION,
        "calibration": calibration.VERSION,
        "conditional": conditional.VERSION,
        "flux": flux.VERSION,
        "mmd": mmd.VERSION,
        "pgd": discriminator.VERSION,
        "validity": validity.VERSION,
        "vun": isomorphism.VERSION,
    }

    assert {name: told.get(name) for name in known} == known


def test_constraints_are_exact_and_cover_what_is_declared():
    import tomllib

    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, separator, version = line.partition("==")
        assert separator == "==", line
        pins[name.lower().replace("_", "-")] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = sum(project["optional-dependencies"].values(), start=project["dependencies"])
    names = {w.split("[")[0].split(">")[0].split("<")[0].split("=")[0].lower() for w in wanted}

    assert names <= pins.keys()
