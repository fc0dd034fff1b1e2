"""When a verdict changed, by committed revisions of the evidence."""

import shutil
from pathlib import Path

from reports import trace
from reports.comparing.sides import EVIDENCE
from tests.reports.comparing.test_sides import git  # noqa: F401
from tests.reports.comparing.two_sides import CLAIM, cells, measure
from tests.reports.conftest import SCALE, call, refused

SEEDS = [0.0, 0.5, 0.25, 0.75]


def commit(git, lab, gain, message):  # noqa: F811
    measure(
        lab, cells([0.1, 0.5], [[30 + gain + 1.1 * s for s in SEEDS], [30 + s for s in SEEDS]]), claims=CLAIM
    )
    target = Path(EVIDENCE) / SCALE / "table_05"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(lab.tidy("table_05"), target)
    git("add", "-A")
    git("commit", "-qm", message)


def told(lab, capsys, claim="D6"):
    call(trace.main, "--scale", SCALE, "--claim", claim, "--params", str(lab.params))
    return capsys.readouterr().out.splitlines()


def test_each_change_is_told_with_the_numbers_that_moved_it(lab, git, capsys):  # noqa: F811
    for gain, message in ((10.0, "first"), (12.0, "higher"), (-10.0, "turned")):
        commit(git, lab, gain, message)
    said = told(lab, capsys)
    changes = [
        line for line in said if line.endswith(")") and "  (" not in line[:20] and not line.startswith(" ")
    ]
    assert ["confirmed" in changes[0], changes[0].endswith("(first)")] == [True, True]
    assert [line.split("  ")[1] for line in changes[1:]] == ["confirmed -> contradicted"]
    assert "3 revisions" in said[1] and said[-1] == "now: contradicted"
    moved = [line for line in said if "top1 of l2_norm yes, temperature 0.1: " in line]
    assert len(moved) == 1 and ", -22 [" in moved[0]


def spoil(git, message):  # noqa: F811
    rows = Path(EVIDENCE) / SCALE / "table_05" / "rows.csv"
    rows.write_text(rows.read_text().replace("top1", "top5", 1))
    git("commit", "-qam", message)


def test_a_revision_that_cannot_be_read_is_told_and_is_no_state(lab, git, capsys):  # noqa: F811
    commit(git, lab, 10.0, "first")
    spoil(git, "spoilt")
    commit(git, lab, -10.0, "turned")
    spoilt, turned = told(lab, capsys)[4:6]
    assert "cannot be read: a file is damaged: reports/evidence/smoke/table_05/rows.csv  (spoilt)" in spoilt
    assert "confirmed -> contradicted  (turned)" in turned, "from the last that could be read"


def test_over_a_damaged_last_revision_no_verdict_is_that_of_now(lab, git, capsys):  # noqa: F811
    commit(git, lab, 10.0, "first")
    first = git("rev-parse", "--short=9", "HEAD").strip()
    spoil(git, "spoilt")
    said = told(lab, capsys)
    assert said[-1] == (
        f"now: not known, the last revision cannot be read; confirmed in {first}, the last that can be read"
    )


def test_a_revision_that_took_the_evidence_away_ends_the_verdict(lab, git, capsys):  # noqa: F811
    commit(git, lab, 10.0, "first")
    git("rm", "-qr", EVIDENCE)
    git("commit", "-qm", "taken away")
    said = told(lab, capsys)
    assert "confirmed -> not run  (taken away)" in " ".join(said) and said[-1] == "now: not run"


def test_numbers_that_moved_without_their_mean_are_told(lab, git, capsys):  # noqa: F811
    commit(git, lab, 1.0, "first")
    measure(lab, cells([0.1, 0.5], [[31 + 40 * (s - 0.375) + 0.4125 for s in SEEDS], [30 + s for s in SEEDS]]),
            claims=CLAIM)  # fmt: skip
    shutil.copytree(lab.tidy("table_05"), Path(EVIDENCE) / SCALE / "table_05", dirs_exist_ok=True)
    git("commit", "-qam", "wider")
    assert "top1 of l2_norm yes, temperature 0.1: 31.4 ± 0.4 (n = 4) -> 31.4 ± 12.9 (n = 4)" in " ".join(
        told(lab, capsys)
    )


def test_an_unknown_claim_is_answered_with_the_nearest(lab, git, capsys):  # noqa: F811
    commit(git, lab, 10.0, "first")
    with refused("unknown claim `D7` .did you mean `D6`"):
        told(lab, capsys, "D7")


def test_without_committed_evidence_it_says_so(lab, git, capsys):  # noqa: F811
    measure(lab, cells([0.1, 0.5], [[30.0], [31.0]]), claims=CLAIM)
    with refused("no committed evidence of scale smoke"):
        told(lab, capsys)
