"""Table 6: linear evaluation among the published methods, and three ablations of what the method rests on."""

from reports.drawing.tables import Cell, Table, Value
from reports.reading.exhibit import Evidence
from reports.reading.notation import metric
from reports.reading.summary import Lookup, settings, settings_together, values_of

OURS = "SimCLR"
PRINTED = ("params", "top1", "top5")
NOT_PRINTED = ("knn_top1", "contrastive_accuracy", "online_top1")  # measured beside, not in the paper
SAME, OTHER = "Methods using ResNet-50", "Methods using other architectures"
KINDS = {
    "global batch norm": "global batch norm",
    "local batch norm": "local batch norm",
    "LARS": "large batch, LARS",
    "momentum SGD": "large batch, momentum SGD",
    "on-line classifier": "on-line classifier",
}
HERE, ABLATIONS = "SimCLR at this scale", "Ablations, not in the paper's table"


def draw(evidence: Evidence) -> Table:
    """The paper's rows in its order, literature as printed; then our other networks; then the ablations."""
    lookup = Lookup(evidence)
    printed = list(dict.fromkeys(zip(evidence.paper["method"], evidence.paper["architecture"], strict=True)))
    more = [pair for pair in settings_together(evidence, "method", "architecture") if pair not in printed]
    rows = [_row(lookup, SAME if pair[1] == "ResNet-50" else OTHER, *pair) for pair in printed]
    rows += [_row(lookup, HERE, *pair) for pair in more if pair[0] == OURS]
    rows += _ablations(evidence, lookup)
    columns = ["", "Method", "Architecture", "Param. (M)", "Top 1 (%)", "Top 5 (%)"]
    return Table(
        columns=[*columns, *[f"{metric(name).header}, ours only" for name in NOT_PRINTED]], rows=rows, stubs=3
    )


def _row(lookup: Lookup, group: str, method: str, network: str) -> list[Cell]:
    """One method; a number of the literature is the paper's and never ours to run."""
    where = {"method": method, "architecture": network}
    if method == OURS:
        return [group, method, network, *_measured(lookup, **where, ablation="")]
    cells = [Value(name, None, lookup.paper(name, **where), absent="") for name in PRINTED + NOT_PRINTED]
    return [group, f"{method} (literature)", network, *cells]


def _ablations(evidence: Evidence, lookup: Lookup) -> list[list[Cell]]:
    """One row per network and ablation; what they are compared with stands among them."""
    networks, kinds = (
        values_of(evidence.measured, "architecture"),
        settings(evidence, "ablation", printed=KINDS),
    )
    cells = [{"architecture": network, "ablation": kind} for network in networks for kind in kinds if kind]
    finished = [cell for cell in cells if lookup.run(**cell) is not None]
    return [
        [
            ABLATIONS,
            KINDS.get(cell["ablation"], cell["ablation"]),
            cell["architecture"],
            *_measured(lookup, **cell),
        ]
        for cell in finished
    ]


def _measured(lookup: Lookup, **where: str) -> list[Cell]:
    """Every metric of a cell of ours; the paper's beside it where the cell is one of the paper's."""
    paper = {knob: value for knob, value in where.items() if knob != "ablation" or value}
    printed = [Value(name, lookup.ours(name, **where), lookup.paper(name, **paper)) for name in PRINTED]
    beside = [Value(name, lookup.ours(name, **where), None, absent="") for name in NOT_PRINTED]
    return [*printed, *beside]
