"""How well the tests notice a fault: breaks one line of a module, runs its tests, and counts what they miss.

    python -m tests.mutants [--module simclr.lars ...] [--sample 40]

A mutant lives in a forked process only, where it is imported instead of the module; no file is changed, so no test
fails because a hash of the code differs. `make mutants` installs Cosmic Ray, whose operators make the mutants.
"""

import argparse
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.mutate import Mutant, mutants, path_of, sample
from tests.mutants.trial import Trial

HERE = Path(__file__).parent
WANTED = 0.9  # of mutants killed, in every module


def main(words: Sequence[str] | None = None) -> int:
    """Prints the survivors of every module and its share of killed mutants; 1 where that is below 90 %."""
    declared = tomllib.loads((HERE / "modules.toml").read_text("utf-8"))
    harmless = tomllib.loads((HERE / "harmless.toml").read_text("utf-8"))
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__.split("\n\n")[0])
    parser.add_argument("--module", nargs="+", choices=declared["modules"], default=list(declared["modules"]))
    parser.add_argument("--sample", type=int, default=declared["sample"], help="mutants of a module, at most")
    asked, short = parser.parse_args(words), []
    for tests, modules in together(asked.module, declared["modules"]).items():
        trial = Trial(modules, tests, declared["longest"])
        for module in modules:
            drawn = draw(module, asked.sample, declared["seed"])
            explained = {each["mutant"]: each["why"] for each in harmless.get(module, [])}
            if share(trial, module, drawn, explained) < WANTED:
                short.append(module)
    if short:
        print(
            f"error: fewer than {WANTED:.0%} of the mutants were killed in {', '.join(short)}",
            file=sys.stderr,
        )
    return 1 if short else 0


def together(modules: Sequence[str], tests_of: dict[str, list[str]]) -> dict[tuple[str, ...], list[str]]:
    """The modules that the same tests try."""
    found: dict[tuple[str, ...], list[str]] = {}
    for module in modules:
        found.setdefault(tuple(tests_of[module]), []).append(module)
    return found


def draw(module: str, size: int, seed: int) -> list[Mutant]:
    """The mutants of a module that are tried."""
    found = mutants(path_of(module))
    drawn = sample(found, size, f"{seed}/{module}")
    print(f"{module}: {len(found)} mutants, {len(drawn)} tried", flush=True)
    return drawn


def share(trial: Trial, module: str, drawn: Sequence[Mutant], explained: dict[str, str]) -> float:
    """The share of killed mutants among those that are not explained to be harmless."""
    killed = harmless = 0
    for mutant in drawn:
        if trial.kills(module, mutant):
            killed += 1
        elif str(mutant).partition(": ")[2] in explained:
            harmless += 1
        else:
            print(f"  survived  {mutant}", flush=True)
    found = killed / max(1, len(drawn) - harmless)
    print(f"  killed {killed} of {len(drawn)}, {harmless} harmless: {found:.1%}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
