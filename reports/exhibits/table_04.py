"""Table 4: top-1 accuracy by loss function, each loss at the setting that validation chose."""

from collections.abc import Sequence

from reports.drawing.tables import NOT_RUN, Cell, Table, Value
from reports.reading.exhibit import Evidence
from reports.reading.judged import Choice, choices_of
from reports.reading.notation import Measured, written
from reports.reading.summary import Lookup, settings_together

NAMES = {"Margin triplet": "Margin", "NT-Logistic": "NT-Logi."}
TUNED = {"lr": "Learning rate (for 256 images)", "margin": "Margin m", "temperature": "Temperature τ"}


def draw(evidence: Evidence) -> Table:
    """One column per loss, as printed; under it what was chosen, by which accuracy, among how many settings."""
    lookup, losses = Lookup(evidence), _losses(evidence)
    chosen = [_chosen(evidence, *pair) for pair in losses]
    printed = [lookup.paper("top1", loss=loss, semi_hard_mining=semi_hard) for loss, semi_hard in losses]
    tests, validated = ([_reached(lookup, one, split) for one in chosen] for split in ("test", "validation"))
    top1 = [Value("top1", ours, paper) for ours, paper in zip(tests, printed, strict=True)]
    validation = [written(ours, "top1") if ours else NOT_RUN for ours in validated]
    rows: list[list[Cell]] = [["Top-1 accuracy (%)", *top1], ["on the validation split (%)", *validation]]
    rows += [[label, *[_setting(one, knob) for one in chosen]] for knob, label in TUNED.items()]
    rows += [["Settings tried", *[str(one["tried"]) if one else "0" for one in chosen]]]
    return Table(columns=["", *[_name(*loss) for loss in losses]], rows=rows)


def _chosen(evidence: Evidence, loss: str, semi_hard: str) -> Choice | None:
    """What validation chose of a loss; None as long as a setting that it might choose has not finished."""
    choices = choices_of(evidence.judged, "top1", loss=loss, semi_hard_mining=semi_hard)
    return next((choice for choice in choices if choice["setting"]), None)


def _reached(lookup: Lookup, choice: Choice | None, split: str) -> Measured | None:
    """The accuracy of the chosen setting on one split."""
    return choice and lookup.ours("top1", split=split, **choice["cell"], **choice["setting"])


def _losses(evidence: Evidence) -> Sequence[tuple[str, str]]:
    """The losses in the printed order (first without semi-hard mining, NT-Xent last), then those of ours."""
    paper = list(dict.fromkeys(zip(evidence.paper["loss"], evidence.paper["semi_hard_mining"], strict=True)))
    both = settings_together(evidence, "loss", "semi_hard_mining")
    return [*paper, *[pair for pair in both if pair not in paper]]


def _name(loss: str, semi_hard: str) -> str:
    return NAMES.get(loss, loss) + (" (sh)" if semi_hard == "yes" else "")


def _setting(choice: Choice | None, knob: str) -> str:
    """The chosen value; a dash where the loss does not have the knob."""
    return (choice["setting"][knob] or "-") if choice else NOT_RUN
