"""Of every family a leaderboard says how good, how surely, by what, at what cost, against what."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from assay import report
from assay.catalog import FAMILIES
from assay.report.wording import FRACTIONS, metric_title
from assay.result import Reference, write_json
from assay.task import Estimate
from tests.report.accessibility import findings
from tests.report.markup import Element, parse
from tests.report.synthetic import cell, estimate, result


@dataclass(frozen=True)
class Made:
    """A suite of one model, two seeds, some shares, and one number that is none."""

    variant: dict[str, str]
    shares: tuple[str, ...]
    number: str
    reference: str


MADE = {
    "generation": Made(
        {"architecture": "gnn", "process": "flow_matching"}, ("edm/validity", "edm/novelty"),
        "held_out/x_mse", "real data",
    ),
    "captioning": Made(
        {"model": "retrieval"},
        ("molt5/bleu2", "molt5/bleu4", "molt5/meteor", "molt5/rougeL", "sacrebleu/bleu",
         "groups/precision", "groups/recall", "groups/ring_precision"),
        "groups/mentions", "the caption of the nearest training molecule",
    ),
    "interactions": Made(
        {"encoder": "gcn"}, ("ogb/hits_at_20", "heart/mrr", "coverage/hits_at_20_none"),
        "symmetry/types_error", "paths of length 3",
    ),
    "pathways": Made(
        {"model": "graph_vae"},
        ("reversed_edge/auc", "reconstruction/auc", "reconstruction/average_precision",
         "validity/valid", "vun/novelty", "conditional/fidelity", "flux/carrying"),
        "calibration/ece", "real data",
    ),
    "habitability": Made(
        {"fusion": "film"}, ("habitability/auroc",), "habitability/mae", "the training mean",
    ),
}  # fmt: skip


def write_family(folder: Path, family: str) -> None:
    of, data = MADE[family], f"mini_{family}"
    for seed in (0, 1):
        made = result(cell(of.variant, seed, data) | {"family": family}, 0.5)
        scored = {name: estimate(0.8 + 0.02 * seed) for name in of.shares} | {of.number: number()}
        path = folder / f"{made.provenance.cell_key}.json"
        write_json(path, made.model_copy(update={"estimates": scored}))
    suite = {
        "name": data, "title": family, "family": family, "data": data,
        "grid": {axis: [value] for axis, value in of.variant.items()}, "seeds": [0, 1],
        "budget": {"steps": 100},
    }  # fmt: skip
    write_json(folder / "suite.json", suite)
    held_against = {name: estimate(0.7) for name in of.shares}
    reference = Reference(name=of.reference, label="test split", estimates=held_against)
    write_json(folder / "reference.json", reference)


def number() -> Estimate:
    return Estimate(value=0.25, low=0.125, high=0.5, n=40, version="1", better="lower")


@pytest.fixture(scope="module", params=sorted(MADE))
def of_family(request, tmp_path_factory) -> tuple[Made, Element]:
    folder = tmp_path_factory.mktemp(request.param)
    write_family(folder, request.param)
    document = parse(report.build([folder], folder / "report.html").read_text())
    assert findings(document) == []
    return MADE[request.param], document.one("table", class_="board")


def test_there_is_one_for_every_family():
    assert MADE.keys() == FAMILIES.keys()


def test_shares_are_per_cent_with_their_intervals(of_family):
    made, board = of_family
    mean, first, _ = board.one("tbody").all("tr")

    texts = [entry.text for entry in first.all("td", class_="m")]
    # 1.96 √(0.8 × 0.2 / 1000) = 0.0248.
    assert texts[:-1] == ["80.0 % [77.5, 82.5] n = 1,000"] * len(made.shares)
    assert texts[-1] == "0.25 [0.125, 0.5] n = 40"
    # 0.8 and 0.82: Student's factor of two seeds is 12.7; half the difference is 0.01.
    assert mean.all("td", class_="m")[0].text == "81.0 % [68.3, 93.7] n = 2, the best"
    assert set(made.shares) <= FRACTIONS
    assert made.number not in FRACTIONS


def test_each_figure_stands_below_its_protocol_and_version(of_family):
    made, board = of_family
    names = (*made.shares, made.number)
    heads = [head.text for head in board.one("thead").all("th")]

    for protocol in dict.fromkeys(name.partition("/")[0] for name in names):
        assert f"Quality: {protocol} protocol, version 1" in heads
    assert [title for title in heads if title in map(metric_title, names)] == [
        metric_title(name) for name in names
    ]


def test_the_cost_stands_beside_it(of_family):
    _, board = of_family

    for row in board.one("tbody").all("tr"):
        assert [entry.text for entry in row.all("td")][-7:] == [
            "120 k", "100 k", "1.70 T", "1 min 01 s", "1.64 k", "400 MB", "cpu, 1 thread",
        ]  # fmt: skip


def test_the_last_row_is_what_it_is_held_against(of_family):
    made, board = of_family
    (row,) = board.one("tfoot").all("tr")

    assert row.text.lower().startswith(f"{made.reference} test split")
    # 1.96 √(0.7 × 0.3 / 1000) = 0.0284.
    assert row.all("td", class_="m")[0].text == "70.0 % [67.2, 72.8] n = 1,000"
    assert row.text.endswith("costs no training")
