"""Table 2: three losses and their gradients with respect to the anchor u, checked by autodiff."""

from reports.drawing.formula import Formula
from reports.drawing.tables import Table, value
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup, settings

U, V, POSITIVE, NEGATIVE = r"\boldsymbol{u}", r"\boldsymbol{v}", r"\boldsymbol{v}^{+}", r"\boldsymbol{v}^{-}"
DOT = rf"{U}^{{\mathrm{{T}}}}"  # u's product with what follows
BOTH = rf"\{{{POSITIVE},{NEGATIVE}\}}"

# The negative loss, to be maximised, and its gradient; u, v+ and v- are normalized (Table 2's caption).
FORMULAE = {
    "NT-Xent": (
        Formula(
            rf"{DOT}{POSITIVE}/\tau - \log\,\sum_{{{V}\in{BOTH}}}\exp({DOT}{V}/\tau)",
            "u dot v plus over tau, minus the log of the sum, over the positive and all negatives, "
            "of exp(u dot v over tau)",
        ),
        Formula(
            rf"\left(1-\dfrac{{\exp({DOT}{POSITIVE}/\tau)}}{{Z({U})}}\right)\dfrac{{{POSITIVE}}}{{\tau}} - "
            rf"\sum_{{{NEGATIVE}}}\,\dfrac{{\exp({DOT}{NEGATIVE}/\tau)}}{{Z({U})}}\,\dfrac{{{NEGATIVE}}}{{\tau}}",
            "1 minus the softmax weight of v plus, times v plus over tau, minus the sum over negatives of "
            "the softmax weight of v minus, times v minus over tau",
        ),
    ),
    "NT-Logistic": (
        Formula(
            rf"\log\,\sigma({DOT}{POSITIVE}/\tau) + \log\,\sigma(-{DOT}{NEGATIVE}/\tau)",
            "log sigmoid of u dot v plus over tau, plus log sigmoid of minus u dot v minus over tau",
        ),
        Formula(
            rf"\sigma(-{DOT}{POSITIVE}/\tau)\,\dfrac{{{POSITIVE}}}{{\tau}} - "
            rf"\sigma({DOT}{NEGATIVE}/\tau)\,\dfrac{{{NEGATIVE}}}{{\tau}}",
            "sigmoid of minus u dot v plus over tau, times v plus over tau, minus sigmoid of u dot v minus "
            "over tau, times v minus over tau",
        ),
    ),
    "Margin Triplet": (
        Formula(
            rf"-\max({DOT}{NEGATIVE} - {DOT}{POSITIVE} + m,\, 0)",
            "minus the larger of zero and u dot v minus, less u dot v plus, plus the margin m",
        ),
        Formula(
            rf"{POSITIVE} - {NEGATIVE}\ \ \mathrm{{if}}\ \ {DOT}{POSITIVE} - {DOT}{NEGATIVE} < m,"
            r"\ \ \mathrm{else}\ \ 0",
            "v plus less v minus if u dot v plus, less u dot v minus, is below m, otherwise zero",
        ),
    ),
}
UNPRINTED = ("", "")  # a loss of ours only has no formulae in the paper


def draw(evidence: Evidence) -> Table:
    """The printed formulae, and how far each gradient is from autodiff's at most (absolute, float64)."""
    lookup = Lookup(evidence)
    rows = [
        [
            loss,
            *FORMULAE.get(loss, UNPRINTED),
            value(lookup, "max_error", loss=loss),
            value(lookup, "cases", loss=loss),
        ]
        for loss in settings(evidence, "loss", printed=FORMULAE)
    ]
    columns = [
        "Loss",
        "Negative loss",
        "Gradient with respect to u",
        "Largest difference from autodiff",
        "Cases",
    ]
    return Table(columns=columns, rows=rows, has_paper=False)
