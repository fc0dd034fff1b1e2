"""Figure B.7: CIFAR-10, linear evaluation by batch size and epochs, over the learning rates."""

from collections.abc import Iterator
from dataclasses import replace

from reports.drawing.bars import Bars, draw_bars
from reports.drawing.style import Drawing
from reports.reading.exhibit import Evidence
from reports.reading.notation import metric
from reports.reading.summary import Lookup, summarize

TEMPERATURE = "0.5"
KNOBS = ("batch_size", "epochs", "learning_rate", "temperature")
BARS = Bars(
    metric="top1",
    x="epochs",
    hue="batch_size",
    limits=(80, 100),
    x_label="Training epochs",
    hue_label="Batch size",
    paper_setting="CIFAR-10, ResNet-50",
    paper_grid={
        "epochs": [str(100 * hundred) for hundred in range(1, 11)],
        "batch_size": [str(256 * 2**power) for power in range(5)],
    },
    assumed="epochs by hundreds; the batch sizes are in the text",
    over=("learning_rate",),
)


def draw(evidence: Evidence) -> Drawing:
    """Bars at the caption's temperature; the network trained with labels is a line across ours."""
    measured = evidence.measured
    shown = measured.query("training == 'SimCLR' and temperature == @TEMPERATURE")
    supervised = Lookup(evidence).ours("top1", training="supervised")
    references = {} if supervised is None else {"Supervised (ours)": supervised.mean}
    return draw_bars(
        replace(evidence, measured=shown), replace(BARS, references=references), *_in_words(evidence)
    )


def _in_words(evidence: Evidence) -> Iterator[str]:
    """What the paper and its readers say of the sweep without a bar, and the same of ours."""
    cells = summarize(evidence.measured, evidence.knobs).query("metric == 'top1' and training == 'SimCLR'")
    if len(cells):
        best = cells.loc[cells["mean"].idxmax()]
        at = ", ".join(f"{knob.replace('_', ' ')} {best[knob]}" for knob in KNOBS)
        yield f"Best of our sweep: {best['mean']:{metric('top1').format}} % ({at})."
    printed = Lookup(evidence).paper
    low, high = (printed(name, epochs=1000) for name in ("top1_low", "top1_high"))
    yield (
        f"The paper's best: {printed('top1', batch_size=1024, epochs='best')} % at batch size 1024. "
        f"A reader of its plot: {low} to {high} % at 1000 epochs, any batch size."
    )
