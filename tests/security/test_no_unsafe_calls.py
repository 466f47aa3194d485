"""Nothing in the code reads a pickle, runs a text, unpacks an archive or opens a port to all.

The rules look at the syntax tree of every file, so that no import style hides a call.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("platform", "jobs", "benchmarks")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

MODULES = {
    **dict.fromkeys(
        ("pickle", "_pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"),
        "reads pickles",
    ),
    "telnetlib": "sends in the clear",
    "ftplib": "sends in the clear",
}
CALLS = {
    "eval": "runs a text",
    "exec": "runs a text",
    "compile": "runs a text",
    "__import__": "runs a text",
    "torch.save": "writes pickles",
    "pandas.read_pickle": "reads pickles",
    "pd.read_pickle": "reads pickles",
    "ray.cloudpickle": "reads pickles",
    "cloudpickle.loads": "reads pickles",
    "cloudpickle.load": "reads pickles",
    "ray.cloudpickle.load": "reads pickles",
    "ray.cloudpickle.loads": "reads pickles",
    "yaml.load": "builds any object",
    "yaml.load_all": "builds any object",
    "yaml.full_load": "builds any object",
    "yaml.unsafe_load": "builds any object",
    "os.system": "runs a shell",
    "os.popen": "runs a shell",
    "subprocess.getoutput": "runs a shell",
    "subprocess.getstatusoutput": "runs a shell",
    "tempfile.mktemp": "names a file that another may make first",
    "os.tempnam": "names a file that another may make first",
    "shutil.unpack_archive": "unpacks an archive",
    "ssl._create_unverified_context": "trusts any server",
    "Tuner.restore": "reads pickles",
    "tune.Tuner.restore": "reads pickles",
}
METHODS = {
    "extractall": "unpacks an archive",
    "extract": "unpacks an archive",
    "read_pickle": "reads pickles",
    "to_pickle": "writes pickles",
}
KEYWORDS = {
    ("allow_pickle", True): "reads pickles",
    ("shell", True): "runs a shell",
    ("weights_only", False): "reads pickles",
    ("verify", False): "trusts any server",
    ("trust_remote_code", True): "runs code from a hub",
    ("autoescape", False): "lets HTML through",
}
EVERY_ADDRESS = {"0.0.0.0", "::", "[::]"}
WHOLE_ENVIRONMENT = {"dict", "print", "str", "repr", "list", "json.dumps", "sorted"}

ALLOWED: dict[str, str] = {}
"""`path: what` → why it is allowed. Empty, and better so."""


def faults(path: Path, text: str) -> list[str]:
    tree = ast.parse(text)
    return [f"{path}:{line}: {what}" for line, what in sorted(_faults(tree))]


def _faults(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, _imported(alias.name)) for alias in node.names
                        if _imported(alias.name))  # fmt: skip
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{a.name}" for a in node.names)]
            yield from ((node.lineno, what) for name in names if (what := _imported(name)))
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, what) for what in _called(node))
        elif isinstance(node, ast.Constant) and node.value in EVERY_ADDRESS:
            yield node.lineno, f"{node.value!r} listens to every machine"
        elif isinstance(node, ast.JoinedStr):
            yield from (
                (node.lineno, "shows the whole environment")
                for part in node.values
                if isinstance(part, ast.FormattedValue) and _dotted(part.value) == "os.environ"
            )


def _imported(name: str) -> str:
    if name in CALLS or name == "torch.load":
        return f"{name} {CALLS.get(name, 'hides what it reads')}"
    first = name.partition(".")[0]
    return f"{name} {MODULES[first]}" if first in MODULES else ""


def _called(node: ast.Call) -> Iterator[str]:
    name = _dotted(node.func)
    if name in CALLS:
        yield f"{name}() {CALLS[name]}"
    if name == "torch.load" and not any(map(_is_weights_only, node.keywords)):
        yield "torch.load() without weights_only=True"
    if name.endswith(".from_pretrained") and not any(map(_refuses_code, node.keywords)):
        yield "from_pretrained() without **FROM_DISK, which refuses code that comes with a model"
    if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
        yield f".{node.func.attr}() {METHODS[node.func.attr]}"
    for keyword in node.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if (keyword.arg, value) in KEYWORDS:
            yield f"{keyword.arg}={value} {KEYWORDS[keyword.arg, value]}"
    if name == "np.load" and not any(each.arg == "allow_pickle" for each in node.keywords):
        yield "np.load() without allow_pickle=False"
    shows = name in WHOLE_ENVIRONMENT or name.partition(".")[0] in ("log", "logger", "logging")
    if shows and any(_dotted(each) == "os.environ" for each in node.args):
        yield "shows the whole environment"


def _is_weights_only(keyword: ast.keyword) -> bool:
    value = keyword.value
    return keyword.arg == "weights_only" and isinstance(value, ast.Constant) and value.value is True


def _refuses_code(keyword: ast.keyword) -> bool:
    return keyword.arg is None and _dotted(keyword.value) == "FROM_DISK"


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_no_file_does_what_is_unsafe():
    found = [
        fault
        for path in SOURCES
        for fault in faults(path.relative_to(ROOT), path.read_text(encoding="utf-8"))
    ]
    unexcused = [
        fault for fault in found
        if not any(fault.startswith(where) and what in fault
                   for where, what in (key.split(": ", 1) for key in ALLOWED))
    ]  # fmt: skip
    assert not unexcused, "\n".join(unexcused)


def test_all_the_code_is_looked_at():
    assert len(SOURCES) > 70
    assert ROOT / "platform" / "assay" / "cli.py" in SOURCES


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from ray import cloudpickle\ncloudpickle.loads(b'')",
        "import torch\ntorch.load('x')",
        "import torch\ntorch.load('x', weights_only=safe)",
        "from torch import load",
        "import yaml\nyaml.load('x', Loader=yaml.Loader)",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "eval('1')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import tarfile\ntarfile.open('x').extractall()",
        "import zipfile\nzipfile.ZipFile('x').extract('y')",
        "import tempfile\ntempfile.mktemp()",
        "serve(host='0.0.0.0')",
        "import os\nprint(os.environ)",
        "import os\nlog.info('%s', os.environ)",
        "import os\nf'{os.environ}'",
        "from ray import tune\ntune.Tuner.restore('x', f)",
        "requests.get(url, verify=False)",
        "AutoModel.from_pretrained('x', trust_remote_code=True)",
        "AutoModel.from_pretrained('x')",
        "AutoModel.from_pretrained('x', **options)",
    ],
)
def test_each_rule_finds_what_it_is_there_for(code):
    assert faults(Path("x.py"), code), code


def test_what_is_safe_is_let_through():
    safe = """
import os, subprocess, tarfile, yaml
import numpy as np
np.load("x", allow_pickle=False)
yaml.safe_load("x")
subprocess.run(["ls"], env={**os.environ, "A": "1"})
tarfile.open("x").extractfile("y")
model.eval()
AutoModel.from_pretrained("x", **FROM_DISK)
re.compile("x")
serve(host="127.0.0.1")
"""
    assert faults(Path("x.py"), safe) == []
