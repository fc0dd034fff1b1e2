"""Table 4: top-1 accuracy by loss function, each loss at the setting that validation chose."""

from collections.abc import Sequence

from reports.drawing.selection import Choice, chosen
from reports.drawing.tables import NOT_RUN, Cell, Table, Value
from reports.evidence import Evidence
from reports.summary import Lookup, settings_together, written

NAMES = {"Margin triplet": "Margin", "NT-Logistic": "NT-Logi."}
TUNED = {"lr": "Learning rate (for 256 images)", "margin": "Margin m", "temperature": "Temperature τ"}


def draw(evidence: Evidence) -> Table:
    """As printed, one column per loss; under it what was chosen, by which accuracy, among how many settings."""
    lookup, losses = Lookup(evidence), _losses(evidence)
    found = [
        chosen(evidence, "top1", list(TUNED), loss=loss, semi_hard_mining=semi_hard)
        for loss, semi_hard in losses
    ]
    printed = [lookup.paper("top1", loss=loss, semi_hard_mining=semi_hard) for loss, semi_hard in losses]
    top1 = [Value("top1", one and one.test, paper) for one, paper in zip(found, printed, strict=True)]
    validation = [written(one.validation, "top1") if one else NOT_RUN for one in found]
    rows: list[list[Cell]] = [["Top-1 accuracy (%)", *top1], ["on the validation split (%)", *validation]]
    rows += [[label, *[_setting(one, knob) for one in found]] for knob, label in TUNED.items()]
    rows += [["Settings tried", *[str(one.tried) if one else "0" for one in found]]]
    return Table(columns=["", *[_name(*loss) for loss in losses]], rows=rows)


def _losses(evidence: Evidence) -> Sequence[tuple[str, str]]:
    """As printed: without semi-hard mining, with it, and NT-Xent last; then what only we have."""
    paper = list(dict.fromkeys(zip(evidence.paper["loss"], evidence.paper["semi_hard_mining"], strict=True)))
    both = settings_together(evidence, "loss", "semi_hard_mining")
    return [*paper, *[pair for pair in both if pair not in paper]]


def _name(loss: str, semi_hard: str) -> str:
    return NAMES.get(loss, loss) + (" (sh)" if semi_hard == "yes" else "")


def _setting(choice: Choice | None, knob: str) -> str:
    """The chosen value; a dash where the loss does not have the knob."""
    return (choice.setting[knob] or "-") if choice else NOT_RUN
