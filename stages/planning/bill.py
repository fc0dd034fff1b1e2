"""The price of many runs, as a table that a person reads before choosing what to run."""

from __future__ import annotations

from collections.abc import Iterable

from stages.planning.price import GB, Hardware, Price, precision_of, price_of
from stages.planning.runs import Run

Priced = list[tuple[Run, Price]]
HEADER = ("stage", "runs", "{}s a run", "nodes", "GB a {}", "{}-hours", "longest")


def bill(title: str, runs: Iterable[Run], hardware: Hardware, small: Hardware | None = None) -> str:
    """Distinct runs by stage and in all, the largest run, and how many runs fit one GPU (also a `small` one)."""
    priced = [(run, price_of(run, hardware)) for run in {run.fingerprint: run for run in runs}.values()]
    stages = sorted({run.stage for run, _ in priced})
    rows = [_row(stage, [pair for pair in priced if pair[0].stage == stage]) for stage in stages]
    rows.append(_row("all", priced))
    header = tuple(name.format(hardware.unit) for name in HEADER)
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    table = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in (header, *rows)
    ]
    head = f"price of {title} on {hardware.name}, {_stated(hardware, priced)}"
    return "\n".join([head, *table, *_remarks(priced, hardware, small)])


def _row(stage: str, priced: Priced) -> tuple[str, ...]:
    prices = [price for _, price in priced]
    return (
        stage,
        f"{len(priced):,}",
        _span([price.gpus for price in prices]),
        _span([price.nodes for price in prices]),
        _figure(max((price.memory for price in prices), default=0) / GB),
        _figure(sum(price.gpu_hours for price in prices)),
        _time(max((price.hours for price in prices), default=0)),
    )


def _remarks(priced: Priced, hardware: Hardware, small: Hardware | None) -> list[str]:
    if not priced:
        return ["  nothing to run"]
    run, largest = max(priced, key=lambda pair: pair[1].gpu_hours)
    gpus, unit = max(price.gpus for _, price in priced), hardware.unit
    hours, storage = (sum(getattr(price, name) for _, price in priced) for name in ("gpu_hours", "storage"))
    lines = [
        f"  the largest run: {run.stage}/{run.exhibit}/{run.id}, {_figure(largest.gpu_hours)} {unit}-hours, "
        f"{_time(largest.hours)} on {largest.gpus} {unit}{'s' * (largest.gpus > 1)}",
        f"  wall time with {gpus} {unit}{'s' * (gpus > 1)}, all at work: {_time(max(hours / gpus, largest.hours))}",
        f"  storage: {_figure(storage / GB)} GB of weights",
    ]
    if beyond := sum(not price.fits for _, price in priced):
        lines.append(
            f"  {beyond} runs do not fit {hardware.most} {unit}{'s' * (hardware.most > 1)} of {hardware.memory:g} GB"
        )
    for each in filter(None, (hardware, small)):
        alone = sum((price := price_of(run, each)).fits and price.gpus == 1 for run, _ in priced)
        lines.append(f"  one {each.unit} of {each.memory:g} GB holds {alone:,} of {len(priced):,} runs")
    return lines


def _stated(hardware: Hardware, priced: Priced) -> str:
    kinds = sorted({precision_of(run) for run, _ in priced})
    rates = [f"{hardware.used[kind]:.0%} of {hardware.peak[kind]:g} TFLOP/s at {kind}" for kind in kinds]
    how = "measured on one core, in CPU time" if hardware.takes else "stated and not measured"
    return f"{how}: {'; '.join(rates)} (params/hardware.yaml)"


def _span(numbers: list[int]) -> str:
    low, high = min(numbers, default=0), max(numbers, default=0)
    return f"{low}" if low == high else f"{low}-{high}"


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


def _time(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:,.1f} days"
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.2g} min"
