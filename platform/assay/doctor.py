"""What works on this machine, what is missing, and the command that mends it.

A check is a function that returns one or more `Finding`s and never raises. This module holds the
checks that need neither Ray nor MLflow; `assay.cluster.doctor` and `assay.tracking.doctor` hold
theirs.
"""

import importlib
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

import assay
from assay import catalog, packages, provenance
from assay.errors import AssayError
from assay.redact import without_secrets
from assay.store import assets, sets
from assay.store.locations import cache_root, data_root
from assay.store.shards import sharded_names
from assay.store.shards_place import VARIABLE, chosen_place

State = Literal["ok", "missing", "broken", "off"]
GIB = 1024**3

OPENS: Mapping[str, str] = {
    "chemberta": "embeddings of drugs' structures by ChemBERTa",
    "captioning": "captions of molecules and their metrics",
    "crystals": "crystals: MP-20, structures, composition checks",
    "docs": "the documentation as a site (`make docs`)",
    "metrics": "the Fréchet ChemNet distance",
    "stability": "energies of crystals by CHGNet",
    "pathways": "orbit counts of metabolic networks",
    "server": "MLflow and Optuna on PostgreSQL and S3, with accounts",
    "dev": "the tests and `make lint`",
}
"""What an optional extra of the package is for."""

STYLES: Mapping[State, str] = {
    "ok": "green",
    "missing": "yellow",
    "broken": "bold red",
    "off": "dim",
}

LEAST_CACHE_BYTES = 2 * GIB  # QM9 as it is fetched and as it is packed
LEAST_SHARED_MEMORY_BYTES = 1 * GIB
LEAST_OPEN_FILES = 8192


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    name: str
    state: State
    """`ok`; `missing`: optional, and not here; `broken`: needed, and does not work; `off`: not
    asked for."""
    found: str
    mend: str = ""
    """The command that mends it; empty where there is nothing to mend."""


@dataclass(frozen=True)
class Section:
    """Findings that belong together."""

    title: str
    findings: Sequence[Finding]


def sections() -> list[Section]:
    """Run the checks of this module."""
    return [
        Section("machine", [python(), git(), clock(), shared_memory(), open_files()]),
        Section("torch", [torch_works(), *gpus()]),
        Section("packages", [requirements(), pins(), *extras(), adamw_8bit()]),
        Section("data", [*folders(), *data_sets(), *further_files()]),
    ]


def exit_code(found: Sequence[Section]) -> int:
    """Return 1 if something that is needed is broken, else 0."""
    return int(any(each.state == "broken" for section in found for each in section.findings))


def as_json(found: Sequence[Section]) -> dict[str, Any]:
    """Return the findings as plain data."""
    rows = [
        {"section": section.title, **asdict(each)} for section in found for each in section.findings
    ]
    return {"assay": assay.__version__, "works": exit_code(found) == 0, "findings": rows}


def table(found: Sequence[Section]) -> Table:
    """Return the findings as a table for the terminal, with totals below it."""
    result = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    result.add_column("check", no_wrap=True)
    result.add_column("state", no_wrap=True)
    result.add_column("found, and the command that mends it", overflow="fold")
    for section in found:
        result.add_row(Text(section.title, style="bold"))
        for each in section.findings:
            what = Text(each.found)
            if each.mend:
                what.append(f"\n{each.mend}", style="cyan")
            result.add_row(Text(f"  {each.name}"), Text(each.state, style=STYLES[each.state]), what)
        result.add_section()
    result.caption = Text(totals(found))
    result.caption_justify = "left"
    return result


def totals(found: Sequence[Section]) -> str:
    """Return how many findings there are of each state, and what they mean together."""
    states = [each.state for section in found for each in section.findings]
    counts = [f"{states.count(state)} {state}" for state in STYLES if state in states]
    verdict = "something needed is broken" if exit_code(found) else "all that is needed works"
    return f"{', '.join(counts)}: {verdict}"


# --- machine --------------------------------------------------------------------------------------


def python() -> Finding:
    """Check the version of Python, and that it is a 64-bit one."""
    version, machine = platform.python_version(), platform.machine()
    what = f"{version} on {platform.system()} {machine}, {os.cpu_count()} cores"
    if sys.maxsize < 2**32:
        return Finding("Python", "broken", f"{what}: a 32-bit build, for which there is no torch")
    tested = packages.declared("Classifier")
    minor = "{}.{}".format(*sys.version_info)
    if tested and f"Programming Language :: Python :: {minor}" not in tested:
        return Finding("Python", "missing", f"{what}: not among the versions tested")
    return Finding("Python", "ok", f"{what} ({sys.executable})")


def git() -> Finding:
    """Check that results can name the commit that made them."""
    if shutil.which("git") is None:
        return Finding(
            "git", "missing", "no git: results will not name a commit", "apt-get install git"
        )
    commit, dirty = provenance.git_state()
    if commit is None:
        return Finding("git", "off", "assay is not installed from a git checkout: no commit")
    return Finding("git", "ok", f"commit {commit[:10]}{', with changes' if dirty else ''}")


def clock() -> Finding:
    """Check that the clock is not behind the code that it runs."""
    newest = max(path.stat().st_mtime for path in Path(assay.__file__).parent.rglob("*.py"))
    now = time.time()
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < newest - 60:
        return Finding(
            "clock",
            "broken",
            f"{text}, but assay's files are of {time.strftime('%Y-%m-%d', time.gmtime(newest))}",
            "timedatectl set-ntp true",
        )
    return Finding("clock", "ok", text)


def shared_memory(path: Path = Path("/dev/shm")) -> Finding:
    """Check the size of shared memory, where Ray keeps objects."""
    if not path.is_dir():
        return Finding("shared memory", "off", f"{path} does not exist here; Ray uses /tmp")
    usage = shutil.disk_usage(path)
    what = f"{path}: {usage.total / GIB:.1f} GiB, {usage.free / GIB:.1f} free"
    if usage.free < LEAST_SHARED_MEMORY_BYTES:
        less = f"{what}; with less than {LEAST_SHARED_MEMORY_BYTES / GIB:.0f}, Ray's objects go to "
        return Finding(
            "shared memory", "missing", f"{less}a disk, slower", "docker run --shm-size=2g …"
        )
    return Finding("shared memory", "ok", what)


def open_files() -> Finding:
    """Check how many files a process may open: a Ray head with many workers opens thousands."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = soft if hard == resource.RLIM_INFINITY else hard  # Ray raises its own to the hard one
    what = f"{soft:,} a process" + ("" if most == soft else f" ({most:,} for Ray)")
    if most != resource.RLIM_INFINITY and most < LEAST_OPEN_FILES:
        less = f"{what}: few for a head with many workers"
        return Finding("open files", "missing", less, "ulimit -n 65536")
    return Finding("open files", "ok", "unlimited" if soft == resource.RLIM_INFINITY else what)


# --- torch ----------------------------------------------------------------------------------------


def torch_works() -> Finding:
    """Check that torch is there, computes, and with how many threads."""
    try:
        torch = importlib.import_module("torch")
        works = float(torch.ones(2, 2).matmul(torch.ones(2, 2)).sum()) == 8.0
    except (ImportError, OSError, RuntimeError) as error:
        return Finding("torch", "broken", _short(error), "make setup")
    if not works:
        return Finding("torch", "broken", f"{torch.__version__} multiplies wrongly", "make setup")
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    threads = torch.get_num_threads()
    return Finding("torch", "ok", f"{torch.__version__} ({built}), {threads} threads")


def gpus() -> list[Finding]:
    """Check every GPU that torch sees, or say why there is none."""
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError):
        return []
    driver = _nvidia_smi("driver_version")
    if not torch.cuda.is_available():
        return [_no_gpu(torch, driver)]
    return [
        _gpu(torch, index, driver[0] if driver else "unknown")
        for index in range(torch.cuda.device_count())
    ]


def _gpu(torch: Any, index: int, driver: str) -> Finding:
    about = torch.cuda.get_device_properties(index)
    what = f"{about.name}, {about.total_memory / GIB:.0f} GiB, driver {driver}"
    try:
        with torch.cuda.device(index):
            torch.ones(8, 8, device="cuda").matmul(torch.ones(8, 8, device="cuda")).sum().item()
            free, _ = torch.cuda.mem_get_info()
    except RuntimeError as error:
        return Finding(f"GPU {index}", "broken", f"{what}: {_short(error)}", "nvidia-smi")
    return Finding(f"GPU {index}", "ok", f"{what}, {free / GIB:.0f} GiB free")


def _no_gpu(torch: Any, driver: Sequence[str]) -> Finding:
    if not driver:
        return Finding("GPU", "off", "none: CPU only")
    if torch.version.cuda is None:
        what = f"{len(driver)} in this machine, but torch is the CPU build"
        return Finding("GPU", "missing", what, "pip install --force-reinstall torch")
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        what = "hidden from torch by CUDA_VISIBLE_DEVICES"
        return Finding("GPU", "off", what, "unset CUDA_VISIBLE_DEVICES")
    what = f"torch cannot use it: driver {driver[0]}, torch is built for CUDA {torch.version.cuda}"
    return Finding("GPU", "missing", what, "nvidia-smi")


def _nvidia_smi(field: str) -> list[str]:
    """Return a field of each GPU; nothing where there is no driver."""
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


# --- packages -------------------------------------------------------------------------------------


def requirements() -> Finding:
    """Check the packages that Assay needs against the versions that it asks for."""
    wanted = packages.required()
    faults = [fault for each in wanted for fault in packages.unmet(each)]
    if not wanted:
        what = f"{packages.DISTRIBUTION} is not installed as a package: nothing to compare with"
        return Finding("required", "broken", what, "make setup")
    if faults:
        return Finding("required", "broken", packages.shown(faults), "make setup")
    return Finding("required", "ok", f"all {len(wanted)} are here, in the versions asked for")


def pins(root: Path = packages.ROOT) -> Finding:
    """Check what is installed against `constraints.txt`, in a checkout."""
    path = root / "constraints.txt"
    if not path.exists():
        return Finding("pins", "off", "no constraints.txt: not a checkout")
    count, other = packages.off_pins(path)
    if not other:
        return Finding("pins", "ok", f"{count} packages as constraints.txt pins them")
    what = f"other versions than the tested ones: {packages.shown(other)}"
    return Finding("pins", "missing", what, f"pip install --constraint {path} --editable {root}")


def extras() -> list[Finding]:
    """Check the optional extras, and say what each opens."""
    return [_extra(name) for name in sorted(packages.declared("Provides-Extra"))]


def _extra(name: str) -> Finding:
    faults = [fault for each in packages.required(name) for fault in packages.unmet(each)]
    opens = OPENS.get(name, "optional packages")
    if not faults:
        return Finding(f"[{name}]", "ok", opens)
    what = f"opens {opens}: {packages.shown(faults)}"
    return Finding(f"[{name}]", "missing", what, packages.installing(name))


def adamw_8bit() -> Finding:
    """Check that the 8-bit AdamW of bitsandbytes runs where cells are trained: on a GPU if any."""
    name = "8-bit AdamW"
    try:
        torch = importlib.import_module("torch")
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        importlib.import_module("assay.training.adamw_8bit").require_8bit_adamw(device)
        version = packages.installed("bitsandbytes")
    except (AssayError, ImportError, OSError) as error:
        return Finding(name, "missing", str(error))
    what = f"bitsandbytes {version} on {device.type}: training.optimizer=adamw_8bit"
    return Finding(name, "ok", what)


# --- data -----------------------------------------------------------------------------------------


def folders() -> list[Finding]:
    """Check the folders that data sets are read from and packed into."""
    return [_data_folder(), _shards_folder(), _cache_folder()]


def _data_folder() -> Finding:
    try:
        root = data_root()
    except AssayError as error:
        return Finding("ASSAY_DATA", "broken", str(error), "unset ASSAY_DATA")
    if root is None:
        return Finding("ASSAY_DATA", "off", "not set: data sets come from where they are published")
    held = [name for name in catalog.DATA_SETS if (root / name).is_dir()]
    return Finding("ASSAY_DATA", "ok", f"{root}: holds {', '.join(held) or 'no catalogued set'}")


def _shards_folder() -> Finding:
    if not os.environ.get(VARIABLE):
        return Finding(VARIABLE, "off", "not set: no data set is read shard by shard")
    try:
        place = chosen_place()
        held = sharded_names(place)
    except (AssayError, ImportError) as error:
        return Finding(VARIABLE, "broken", str(error), f"unset {VARIABLE}")
    return Finding(VARIABLE, "ok", f"{place.root}: holds {', '.join(held) or 'no data set'}")


def _cache_folder() -> Finding:
    root = cache_root()
    there = next(each for each in (root, *root.parents) if os.access(each, os.F_OK))
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            "cache", "broken", f"{root}: may not be written", "export ASSAY_CACHE=/another/folder"
        )
    free = shutil.disk_usage(there).free
    what = f"{root}: {free / GIB:,.1f} GiB free"
    if free < LEAST_CACHE_BYTES:
        less = f"{what}; QM9 takes {LEAST_CACHE_BYTES / GIB:.0f} while it is prepared"
        return Finding("cache", "missing", less, "export ASSAY_CACHE=/another/folder")
    return Finding("cache", "ok", what)


def data_sets() -> list[Finding]:
    """Check every catalogued data set: prepared or not, from where, under which licence."""
    return [_data_set(name) for name in catalog.DATA_SETS]


def _data_set(name: str) -> Finding:
    about: sets.DataSet = catalog.load(catalog.DATA_SETS[name])
    terms = licence(about.licence)
    try:
        if sets.is_absent(about):
            what = f"not in ASSAY_DATA; {terms}"
            return Finding(name, "missing", what, f"env -u ASSAY_DATA assay data prepare {name}")
        packed = sets.open_set(name)
    except sets.NotPreparedError:
        origin = "made here by rules" if about.upstream is None else "not prepared"
        return Finding(name, "missing", f"{origin}; {terms}", f"assay data prepare {name}")
    except AssayError as error:
        return Finding(name, "broken", str(error), f"assay data prepare {name}")
    origin = without_secrets(packed.source)
    counts = " / ".join(f"{count:,}" for count in packed.counts)
    what = f"{counts}, digest {packed.digest[:12]}, from {origin}; {terms}"
    return Finding(name, "ok", what)


def further_files() -> list[Finding]:
    """Check what protocols need besides data: prepared or not, under which licence."""
    return [
        Finding(row.name, "ok", f"{row.title}; {licence(row.licence)}")
        if row.digest
        else Finding(
            row.name, "missing", f"not prepared; {row.title}", f"assay data prepare {row.name}"
        )
        for row in assets.catalogued()
    ]


def licence(name: str) -> str:
    """Return a licence as the doctor shows it; says where it forbids commercial use."""
    words = name.lower().replace("-", " ").split()
    limited = "nc" in words or "noncommercial" in "".join(words)
    return f"licence {name}" + (": NON-COMMERCIAL USE ONLY" if limited else "")


def _short(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
