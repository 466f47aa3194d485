"""What the deployment files have in common."""

import re
from pathlib import Path

import assay

ROOT = Path(__file__).resolve().parents[2]
IMAGE = re.compile(r"^(?:YOUR_REGISTRY/)?assay:(?P<version>\d+\.\d+\.\d+)-(?P<kind>cpu|gpu)$")
PLACEHOLDER = re.compile(r"YOUR_[A-Z_]*[A-Z]")


def image_tag(image: str) -> str:
    """Return `cpu` or `gpu`; the image must be ours, of this version.

    A job refuses to start where another version of assay is installed.
    """
    match = IMAGE.match(image)
    assert match is not None, f"{image} is no image of ours with a pinned version"
    assert match["version"] == assay.__version__, f"{image} is not version {assay.__version__}"
    return match["kind"]


def placeholders(text: str) -> set[str]:
    """Return the names that a user fills in, of a file without its comments."""
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return set(PLACEHOLDER.findall(bare))
