"""Options that many commands have, in the same words everywhere."""

import argparse
from pathlib import Path


def add_scale(parser: argparse.ArgumentParser) -> None:
    """Which scale; None stands for the one that params/scale.yaml names."""
    parser.add_argument("--scale", help="one of params/scales/ (default: params/scale.yaml)")


def add_results(parser: argparse.ArgumentParser) -> None:
    """The folder of all results, by scale."""
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="where runs and results lie (default: results)"
    )
