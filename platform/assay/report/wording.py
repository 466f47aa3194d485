"""How names and numbers are written: fractions as per cent, costs in SI units, time in words."""

from assay.task import Estimate

_FLOORS = {
    "common_neighbours": "common neighbours",
    "adamic_adar": "Adamic-Adar",
    "resource_allocation": "resource allocation",
}
FRACTIONS = frozenset(
    {
        "edm/atom_stability",
        "edm/molecule_stability",
        "edm/validity",
        "edm/uniqueness",
        "edm/valid_unique",
        "edm/novelty",
        *(f"edm_strict/{name}" for name in ("connected", "exact_valence", "validity")),
        *(f"edm_strict/{name}" for name in ("uniqueness", "valid_unique", "novelty")),
        "posebusters/passed",
        "moses/scaffold_coverage",
        "cdvae/structural_validity",
        "cdvae/compositional_validity",
        "cdvae/validity",
        "cdvae/cov_recall",
        "cdvae/cov_precision",
        "csp/match_rate",
        "csp/match_rate_cdvae",
        *(f"matcher/{name}" for name in ("uniqueness", "valid_unique")),
        *(f"matcher/{name}" for name in ("novelty", "valid_unique_novel")),
        *(f"molt5/{name}" for name in ("bleu2", "bleu4", "meteor", "rouge1", "rouge2", "rougeL")),
        *(f"llamo/{name}" for name in ("bleu2", "bleu4", "meteor")),
        *(f"whitespace/{name}" for name in ("bleu2", "bleu4")),
        "sacrebleu/bleu",
        *(f"groups/{name}" for name in ("precision", "precision_ceiling", "precision_chance")),
        *(f"groups/{kind}_precision" for kind in ("ring", "chirality", "charge")),
        "groups/recall",
        *(f"ogb/hits_at_{k}" for k in (10, 20, 30)),
        *(f"coverage/hits_at_20_{known}" for known in ("none", "one", "both")),
        "heart/hits_at_20",
        *(f"floor/{name}" for name in _FLOORS),
        "heart/mrr",
        *(f"validity/{name}" for name in ("connected", "sources_sinks", "degree", "valid")),
        "validity/atoms",
        "validity/atoms_coverage",
        *(f"vun/{name}" for name in ("uniqueness", "novelty", "valid_unique_novel")),
        *(f"conditional/{name}" for name in ("fidelity", "shuffled", "recorded", "judge")),
        "reconstruction/auc",
        "reconstruction/average_precision",
        "reversed_edge/auc",
        "reversed_edge/auc_new",
        "flux/carrying",
        "flux/coverage",
        "habitability/auroc",
    }
)
"""Metrics between 0 and 1 of which more is better, controls of such included: written as per cent,
their intervals kept within, and fitted as what they lack to 1 where a law is asked for. Errors,
distances and likenesses that nobody writes as shares (x-MSE, ECE, MMD, QED) are numbers, wherever
they lie."""

_DISTANCES = ("in_degree", "out_degree", "clustering", "orbit", "spectrum")
COSTS = {
    "flops": "FLOPs of training",
    "training_seconds": "seconds of training",
    "parameters": "parameters",
    "peak_memory_bytes": "bytes of memory",
}
"""What quality is held against, by the names of `assay.result.Cost`."""

_TITLES = {
    "held_out/x_mse": "x-MSE",
    "held_out/x_mse_validation": "x-MSE, validation",
    "held_out/x_mse_independent": "x-MSE, free noise",
    "edm/valid_unique": "Valid × unique",
    "cdvae/cov_recall": "COV-R",
    "cdvae/cov_precision": "COV-P",
    **{f"ogb/hits_at_{k}": f"Hits@{k}" for k in (10, 20, 30)},
    "heart/hits_at_20": "Hits@20 (hard)",
    "heart/mrr": "MRR (hard)",
    **{f"floor/{name}": f"Hits@20, {title}" for name, title in _FLOORS.items()},
    **{f"mmd/{name}": f"MMD² {name.replace('_', '-')}" for name in _DISTANCES},
    **{f"mmd_ratio/{name}": f"MMD² ratio {name.replace('_', '-')}" for name in _DISTANCES},
    "pgd/discrepancy": "PGD",
    **{f"pgd/{name}": f"PGD {name.replace('_', '-')}" for name in _DISTANCES},
    "validity/degree": "Degrees valid",
    "reconstruction/auc": "Reconstruction AUC",
    "reconstruction/average_precision": "Reconstruction AP",
    "reversed_edge/auc": "Reversed-edge AUC",
    "reversed_edge/auc_new": "Reversed-edge AUC, new",
    "calibration/ece": "ECE",
    **{
        f"{protocol}/bleu{k}": f"BLEU-{k}"
        for protocol in ("molt5", "llamo", "whitespace")
        for k in (2, 4)
    },
    "molt5/meteor": "METEOR",
    "llamo/meteor": "METEOR",
    **{f"molt5/rouge{k}": f"ROUGE-{k}" for k in ("1", "2", "L")},
    "sacrebleu/bleu": "BLEU",
    "habitability/r2": "R²",
    "habitability/mae": "MAE",
    "habitability/ece": "ECE",
    "habitability/auroc": "AUROC",
    "conditional/fidelity": "Fidelity",
    "conditional/shuffled": "Fidelity, shuffled",
    "conditional/recorded": "Fidelity, as recorded",
    "conditional/judge": "Judge of O2, balanced accuracy",
}
_SHORT_TITLES = {
    "edm/atom_stability": "atoms\nstable",
    "edm/molecule_stability": "mols.\nstable",
    "edm/validity": "valid",
    "edm/uniqueness": "unique",
    "edm/valid_unique": "valid ×\nunique",
    "edm/novelty": "novel",
    "cdvae/structural_validity": "struct.\nvalid",
    "cdvae/compositional_validity": "comp.\nvalid",
    "cdvae/validity": "valid",
    "cdvae/cov_recall": "COV-R",
    "cdvae/cov_precision": "COV-P",
    "cdvae/wasserstein_density": "W₁\ndensity",
    "cdvae/wasserstein_elements": "W₁\nelements",
    **{f"ogb/hits_at_{k}": f"Hits@{k}" for k in (10, 20, 30)},
}
_PREFIXES = ((1e24, "Y"), (1e21, "Z"), (1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"),
             (1e6, "M"), (1e3, "k"))  # fmt: skip


def metric_title(metric: str) -> str:
    """Return a metric's title, such as `Atom stability` of `edm/atom_stability`."""
    words = metric.rpartition("/")[2].replace("_", " ")
    return _TITLES.get(metric, capitalised(words))


def capitalised(words: str) -> str:
    """Return words with a capital at the front, such as `Real data`; the others stay."""
    return words[:1].upper() + words[1:]


def short_title(metric: str) -> str:
    """Return a metric's title for a narrow column, on several lines."""
    return _SHORT_TITLES.get(metric, metric_title(metric).lower().replace(" ", "\n"))


def name_title(name: str) -> str:
    """Return the title of a variant's value, such as `flow matching` of `flow_matching`."""
    return name.replace("_", " ")


def value_text(metric: str, value: float) -> str:
    """Return a value, such as `82.1 %`."""
    return f"{_plain(metric, value)} %" if metric in FRACTIONS else _plain(metric, value)


def interval_text(metric: str, estimate: Estimate) -> str:
    """Return an interval in the unit of its value, such as `[79.6, 84.4]`."""
    return f"[{_plain(metric, estimate.low)}, {_plain(metric, estimate.high)}]"


def estimate_text(metric: str, estimate: Estimate) -> str:
    """Return a value with its interval, such as `82.1 % [79.6, 84.4]`."""
    return f"{value_text(metric, estimate.value)} {interval_text(metric, estimate)}"


def si_text(value: float, unit: str = "") -> str:
    """Return three digits and an SI prefix, such as `34.2 TFLOP`."""
    for scale, prefix in _PREFIXES:
        if value >= scale * 0.9995:
            return f"{_three_digits(value / scale)} {prefix}{unit}"
    return f"{_three_digits(value)} {unit}".rstrip()


def memory_text(count: int) -> str:
    """Return bytes in decimal units, such as `612 MB`."""
    return si_text(count, "B")


def duration_text(seconds: float) -> str:
    """Return a time in its two largest units, such as `2 min 03 s`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def count_text(count: int, noun: str) -> str:
    """Return a count with its noun, such as `1 seed` or `1,000 samples`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _plain(metric: str, value: float) -> str:
    return f"{100 * value:.1f}" if metric in FRACTIONS else f"{value:.4g}"


def _three_digits(value: float) -> str:
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"
