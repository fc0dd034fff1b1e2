"""What is left becomes jobs, anew in every call: what is whole, known or without its data asks for none."""

import os
import shutil
import subprocess
import sys

import pytest

from common import files, locks
from common.errors import UserError
from stages import linear_eval, pretrain  # noqa: F401 (gin then knows its names)
from stages import plan as planning
from stages.planning import plans
from stages.running import store, submission
from tests.stages import tiny
from tests.stages.conftest import REPOSITORY
from tests.stages.running.test_units import CHAIN

SMOKE = tiny.RESULTS / "smoke"


def run_of(stage, name, reads=(), **other):
    """(key, run) as `work_list` has them: a minute on one process."""
    run = {"exhibit": "table_05", "run": name, "shown_by": ["table_05"], "reads": list(reads)}
    sizes = {"processes": 1, "nodes": 1, "minutes": 1.0, "fits": True}
    return f"{stage}/{name}", run | sizes | other


def evaluated(*names):
    """A training and its evaluation under each of these names."""
    trainings = [run_of("pretrain", name) for name in names]
    return dict([*trainings, *(run_of("linear_eval", name, [f"pretrain/{name}"]) for name in names)])


def job_with(jobs, stage, name):
    return next(job for key, job in jobs.items() if key.startswith(f"{stage}/") and name in job["runs"])


def test_after_a_failure_only_what_reads_the_failed_run_waits():
    """The first call: a, b and c share a job, and b failed. The next one knows of what is left alone."""
    first = submission.gather(evaluated("a", "b", "c"))
    assert [job["runs"] for job in first.values()] == [["a", "b", "c"]] * 2
    left = {
        key: run for key, run in evaluated("a", "b", "c").items() if key not in ("pretrain/a", "pretrain/c")
    }
    second = submission.gather(left)
    assert job_with(second, "pretrain", "b")["runs"] == ["b"]
    free, waits = (job_with(second, "linear_eval", name) for name in "ab")
    assert free["runs"] == ["a", "c"] and free["reads"] == []
    assert waits["runs"] == ["b"] and waits["reads"] == ["pretrain/b"]


def test_short_runs_share_a_job_sixteen_at_a_time_and_long_or_wide_ones_have_their_own():
    short = dict(run_of("pretrain", f"s{n:02}") for n in range(20))
    others = [
        run_of("pretrain", "long", minutes=30.0),
        run_of("pretrain", "wide", processes=16, nodes=2),
        run_of("pretrain", "two", processes=2),
        run_of("supervised", "other"),
    ]
    jobs = submission.gather({**short, **dict(others)})
    assert sorted(len(job["runs"]) for job in jobs.values()) == [1, 1, 1, 1, 4, 16]
    assert {"pretrain/long", "pretrain/wide", "pretrain/two", "supervised/other"} < jobs.keys()
    assert max(job["minutes"] for job in jobs.values()) == 30.0
    assert jobs == submission.gather({**short, **dict(others)})


def test_an_evaluation_waits_for_the_job_of_its_training():
    left = evaluated("a", "b") | dict([run_of("pretrain", "long", minutes=90.0)])
    left |= dict([run_of("linear_eval", "long", ["pretrain/long"])])
    jobs = submission.gather(left)
    assert job_with(jobs, "linear_eval", "long")["reads"] == ["pretrain/long"]
    (shared,) = job_with(jobs, "linear_eval", "a")["reads"]
    assert jobs[shared]["runs"] == ["a", "b"]


@pytest.mark.parametrize(
    ("expected", "attempt", "limit"),
    [(0.1, 1, 30), (0.1, 2, 60), (16.0, 1, 32), (16.0, 3, 96), (100.0, 1, 200), (700.0, 2, 1440)],
)
def test_a_time_limit_grows_with_every_attempt_up_to_the_most(expected, attempt, limit):
    assert submission.minutes({"minutes": expected}, attempt, 1440) == limit


def test_the_longest_run_asks_for_no_more_than_the_most_and_is_submitted_as_often_as_it_takes():
    month = {"minutes": 28237.6}
    assert {submission.minutes(month, attempt, 1440) for attempt in range(1, 41)} == {1440}
    assert submission.submissions(month, 1440) == 40 and submission.submissions({"minutes": 3.0}, 1440) == 1
    assert submission.submissions({"minutes": 720.0}, 1440) == 1


def test_what_fits_no_hardware_is_left_out_with_what_reads_it():
    left = evaluated("a", "b")
    left["pretrain/b"]["fits"] = False
    fitting, beyond = submission.parted(left)
    assert set(fitting) == {"pretrain/a", "linear_eval/a"}
    assert set(beyond) == {"pretrain/b", "linear_eval/b"}


@pytest.fixture
def plan(project):
    """The plan of two trainings, each with its evaluation, and its list of work."""
    tiny.declare_only(project, {"table_05": CHAIN})
    assert planning.main(["--quiet", "--scale", "smoke"]) == 0
    (SMOKE / ".lock").touch()
    return plans.read_plan("table_05", "smoke")


def decide(**how):
    return submission.decide(tiny.RESULTS, "smoke", ["table_05"], **how)


def left_by(decided):
    return sorted(
        f"{key.split('/')[0]} {name}" for key, job in decided["jobs"].items() for name in job["runs"]
    )


def tree():
    return {path: path.stat().st_mtime_ns for path in sorted(SMOKE.rglob("*"))}


def test_finished_runs_and_runs_without_data_are_in_no_job(plan):
    first, second = plan.runs("pretrain")
    tiny.seal(first, {"loss": 1.0})
    files.write_json(SMOKE / "data" / "manifest.json", {"missing": []})
    every = [f"{run.stage} {run.id}" for stage in ("linear_eval", "pretrain") for run in plan.runs(stage)]
    assert left_by(decide()) == sorted(set(every) - {f"pretrain {first.id}"})
    files.write_json(SMOKE / "data" / "manifest.json", {"missing": [second.dataset]})
    assert decide()["jobs"] == {}


def test_all_see_the_jobs_of_the_last_call_and_a_dry_one_writes_nothing(plan):
    told = decide()
    assert submission.read(tiny.RESULTS, "smoke") == files.read_json(SMOKE / "jobs.json") == told
    (SMOKE / "done" / told["call"] / "on_one_node").mkdir(parents=True)
    for group in ("all", "table_05", "figure_08"):
        (SMOKE / "done" / group).touch()
    before = tree()
    looked = decide(dry=True)
    assert tree() == before and looked["jobs"] == told["jobs"] and looked["call"] == "dry"
    again = decide()
    assert again["call"] != told["call"] and again["jobs"] == told["jobs"]
    # What an earlier call said of its jobs, and of exhibits of which something is left, is gone.
    assert [path.name for path in (SMOKE / "done").iterdir()] == ["figure_08"]


def test_a_run_that_was_damaged_before_the_last_call_stays_left_until_it_is_made(plan):
    run = plan.runs("pretrain")[0]
    tiny.seal(run, {"loss": 1.0})
    folder = store.store_folder(tiny.RESULTS, run)
    os.truncate(folder / "metrics.json", 3)
    newer = (folder / "metrics.json").stat().st_ctime_ns + 10**9
    for _ in range(2):
        os.utime(SMOKE / ".lock", ns=(newer, newer))  # each call begins after that
        assert f"pretrain {run.id}" in left_by(decide())
    shutil.rmtree(folder)
    tiny.seal(run, {"loss": 1.0})
    assert f"pretrain {run.id}" not in left_by(decide())


def test_what_did_not_change_since_it_was_known_to_be_whole_is_not_read_again(plan, monkeypatch):
    for run in plan.runs("pretrain"):
        tiny.seal(run, {"loss": 1.0})
    read, whole = [], store._is
    monkeypatch.setattr(store, "_is", lambda path, digest: read.append(path.name) or whole(path, digest))
    later = max(path.stat().st_ctime_ns for path in SMOKE.rglob("*")) + 10**9
    os.utime(SMOKE / ".lock", ns=(later, later))
    decide()
    assert read == ["metrics.json"] * 2
    decide()
    assert read == ["metrics.json"] * 2


@pytest.mark.parametrize("damage", [b"", b"[]", b"{"])
def test_damaged_jobs_of_the_last_call_say_nothing(plan, damage):
    files.write_bytes(SMOKE / "jobs.json", damage)
    assert len(left_by(decide())) == 4


HOLD = "import sys; from pathlib import Path; from stages.running import store\n"
HOLD += "with store.locked(Path(sys.argv[1])) as mine: print(mine, flush=True); sys.stdin.read()"


@pytest.fixture
def at_work():
    """at_work(run, job) -> a process that holds the run's lock, in this Slurm job if there is one."""
    started = []

    def hold(run, job=None):
        environment = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
        environment |= {"PYTHONPATH": str(REPOSITORY)} | ({"SLURM_JOB_ID": job} if job else {})
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(store.store_folder(tiny.RESULTS, run).absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        assert process.stdout.readline().strip() == "True"
        return process

    yield hold
    for process in started:
        process.communicate(timeout=30)


def test_runs_that_are_at_work_are_told_with_their_jobs_and_nothing_is_written(plan, at_work):
    first, second = plan.runs("pretrain")
    at_work(first, "4711"), at_work(second, "4711")
    process = at_work(plan.runs("linear_eval")[0])
    before = tree()
    with pytest.raises(UserError) as refused:
        decide()
    said = str(refused.value)
    assert "2 in Slurm job 4711" in said and f"1 in process {process.pid} on " in said
    assert "scancel 4711" in said and tree() == before
    assert len(left_by(decide(dry=True))) == 4


def test_a_lock_whose_holder_is_gone_and_work_on_a_finished_run_hold_nothing_up(plan, at_work):
    first, second = plan.runs("pretrain")
    at_work(first, "4711").communicate(timeout=30)
    tiny.seal(second, {"loss": 1.0})
    at_work(second, "4712")
    assert len(left_by(decide())) == 3


def test_who_does_not_get_a_lock_leaves_the_name_of_its_holder(plan, at_work):
    run = plan.runs("pretrain")[0]
    at_work(run, "4711")
    folder = store.store_folder(tiny.RESULTS, run)
    with store.locked(folder) as mine:
        assert not mine
    assert locks.holder(store.lock_of(folder)) == "Slurm job 4711"
    assert locks.holder(folder / "none") is None and not (folder / "none").exists()
