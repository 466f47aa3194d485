"""What the site needs beside MkDocs: pages of the repository's root, links to them, equations.

A page of `docs/` is read on the code host, too, where a link to `../SECURITY.md` leads to a file
beside `docs/`, and a fence `math` or a text between dollars is an equation. Here they become what
the site has: links to pages, and MathML, which browsers draw without a script.
"""

import posixpath
import re
from html import unescape
from pathlib import Path
from typing import Any, Literal

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.superfences import SuperFencesException, fence_code_format

ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
"""Files of the repository's root, and what they are on the site."""
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DIRECTIVE = re.compile(r"^::: (assay[\w.]*)$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Have fences `math` made into equations, and `error` into sentences that wrap."""
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [
        {"name": "math", "class": "math", "format": equation},
        {"name": "error", "class": "error", "format": fence_code_format},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie in the repository's root."""
    root = Path(config.docs_dir).parent
    for name, uri in ROOT_PAGES.items():
        files.append(File.generated(config, uri, content=(root / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links to pages of the site."""
    sources = {uri: name for name, uri in ROOT_PAGES.items()}
    uri = page.file.src_uri
    places = {f"docs/{each.src_uri}": each.src_uri for each in files}
    places |= ROOT_PAGES | described(Path(config.docs_dir))
    return relocated(markdown, sources.get(uri, f"docs/{uri}"), uri, places)


def relocated(markdown: str, source: str, uri: str, places: dict[str, str]) -> str:
    """Return Markdown whose links are relative to the page's place on the site.

    Args:
        markdown: of the page.
        source: where it lies in the repository.
        uri: what it is on the site.
        places: what files and folders of the repository are on the site, by path. A link to
            anything else stays, and is refused by the strict build.
    """

    def moved(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[1]))
        place = places.get(path) or places.get(f"{path}/README.md")
        if place is None:
            return found[0]
        return f"]({posixpath.relpath(place, posixpath.dirname(uri) or '.')}{found[2] or ''})"

    return LINK.sub(moved, markdown)


def described(docs: Path) -> dict[str, str]:
    """Return on which page of the API reference a module's file is described."""
    return {
        f"platform/{module.replace('.', '/')}.py": f"api/{page.name}"
        for page in sorted((docs / "api").glob("*.md"))
        for module in DIRECTIVE.findall(page.read_text("utf-8"))
    }


def equation(source: str, language: str, css_class: str, *_: Any, **__: Any) -> str:
    """Return the equation of a fence, as pymdownx.superfences asks for it.

    Raises:
        SuperFencesException: it cannot be converted; any other exception would leave LaTeX there.
    """
    try:
        return f'<div class="{css_class}">{mathml(source, "block")}</div>'
    except PluginError as error:
        raise SuperFencesException(str(error)) from error


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make MathML of what pymdownx.arithmatex found between dollars."""
    return INLINE.sub(lambda found: mathml(unescape(found[1]), "inline"), html)


def mathml(source: str, display: Literal["block", "inline"]) -> str:
    """Return LaTeX as MathML.

    Raises:
        PluginError: it is no LaTeX that can be converted.
    """
    try:
        made = convert(source.strip(), display=display)
    except Exception as error:
        raise PluginError(f"equation {source.strip()!r}: {error!r}") from error
    if "\\" in made:  # a command that the converter does not know stays as it is
        raise PluginError(f"equation {source.strip()!r}: it has an unknown command")
    return made
