"""Jobs as modules, for what a test asks of their functions."""

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[1] / "jobs"


@cache
def module_of(path: Path) -> ModuleType:
    """Return a job's file as a module; what it needs beside it lies in its folder."""
    sys.path.insert(0, str(path.parent))
    try:
        spec = spec_from_file_location(f"job_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(path.parent))
