"""The documentation as a site: built strictly, whole, and without the network when it is read."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from mkdocs.commands.build import build as build_site
from mkdocs.config import load_config
from mkdocs.exceptions import Abort, PluginError
from pymdownx.superfences import SuperFencesException

import assay
from tests.docs.site import build, hooks
from tests.report.browser import CHROMIUM, browser
from tests.test_cli import ROOT

FETCHING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


class Fetched(HTMLParser):
    """What a page asks for by itself, and whether it has an equation."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.equations = 0

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in FETCHING and given.get("rel") not in ("next", "prev", "canonical"):
            self.addresses.append(given.get(FETCHING[tag]) or "")
        self.equations += tag == "math"


def read(path: Path) -> Fetched:
    found = Fetched()
    found.feed(path.read_text("utf-8"))
    return found


def test_no_page_asks_the_network_for_anything(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 50

    for page in pages:
        addresses = read(page).addresses
        assert addresses
        assert [each for each in addresses if "//" in each] == [], page


def test_equations_are_drawn_without_a_script(site):
    assert read(site / "equations.html").equations > 20
    assert "katex" not in (site / "equations.html").read_text().lower()


@pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing: apt-get install chromium"
)
def test_a_browser_draws_equations_and_asks_for_files_alone(site, tmp_path):
    with browser(tmp_path / "profile") as page:
        page.open(site / "equations.html")
        width = page.run("document.querySelector('.math math').getBoundingClientRect().width")
        page.open(site / "api" / "contract.html", width=400)

    assert width > 50
    assert page.requests
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_readme_is_the_first_page_and_its_links_lead_to_pages(site):
    first = (site / "index.html").read_text("utf-8")

    assert "Two commands" in first
    for page in ("reliability.html", "SECURITY.html", "CHANGELOG.html", "adr/index.html"):
        assert f'href="{page}' in first


def test_the_reference_has_every_function_of_the_python_interface(site):
    page = (site / "api" / "python.html").read_text("utf-8")

    for name in assay.__all__:
        if callable(getattr(assay, name)):
            assert f'id="assay.api.{name}"' in page


def test_links_of_the_repository_become_links_of_the_site():
    places = {"docs/data.md": "data.md", "docs/adr/README.md": "adr/README.md"}
    places |= {"SECURITY.md": "SECURITY.md", "platform/assay/task.py": "api/contract.md"}

    def moved(link: str, source: str, uri: str) -> str:
        return hooks().relocated(f"[x]({link})", source, uri, places)[4:-1]

    assert moved("docs/data.md#mini", "README.md", "index.md") == "data.md#mini"
    assert moved("docs/adr/", "README.md", "index.md") == "adr/README.md"
    assert moved("../SECURITY.md", "docs/cli.md", "cli.md") == "SECURITY.md"
    assert moved("../data.md", "docs/start/gpu.md", "start/gpu.md") == "../data.md"
    assert moved("../platform/assay/task.py", "docs/a.md", "a.md") == "api/contract.md"
    for kept in ("https://a.org/docs/data.md", "#data", "nowhere.md"):
        assert moved(kept, "README.md", "index.md") == kept


def test_an_equation_that_is_none_is_refused():
    with pytest.raises(SuperFencesException, match="equation"):
        hooks().equation(r"\left( x", "math", "math")
    with pytest.raises(SuperFencesException, match="nonsense"):
        hooks().equation(r"\nonsense{x}", "math", "math")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a](nowhere.md)", "nowhere.md"),
        ("[a](#nowhere)", "nowhere"),
        ("[a](other.md#nowhere)", "nowhere"),
        ("```math\n\\left( x\n```", "equation"),
        ("Of $\\nonsense$ things", "nonsense"),
    ],
)
def test_a_fault_of_a_page_stops_the_build(text, fault, tmp_path, caplog):
    (tmp_path / "docs" / "api").mkdir(parents=True)
    for name in hooks().ROOT_PAGES:
        (tmp_path / name).write_text("# A page\n")
    (tmp_path / "docs" / "page.md").write_text(f"# Page\n\n{text}\n")
    (tmp_path / "docs" / "other.md").write_text("# Other\n")
    config = load_config(
        str(ROOT / "mkdocs.yml"), docs_dir=str(tmp_path / "docs"), nav=None, plugins=[],
        site_dir=str(tmp_path / "site"),
    )  # fmt: skip
    config.nav = None

    with pytest.raises((Abort, SuperFencesException, PluginError)) as stopped:
        build_site(config)

    assert fault in caplog.text + str(stopped.value)


def test_every_page_is_in_the_navigation_once():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]

    def pages(part) -> list[str]:
        if isinstance(part, str):
            return [part]
        inner = part.values() if isinstance(part, dict) else part
        return [page for each in inner for page in pages(each)]

    found = pages(nav)
    ours = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert sorted(found) == sorted(ours | set(hooks().ROOT_PAGES.values()))
