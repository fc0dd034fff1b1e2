"""A sweep: exact per run, shared between exhibits, safe against crashes, kills and damage.

The stage here is `gradients` (no data, a second a run) or `pretrain` on a few images; the processes are real.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common import schemas
from common.seals import sealed
from stages import plan
from stages import prepare as preparing
from stages.planning import fingerprint, plans
from stages.running import driver, store

REPOSITORY = Path(__file__).resolve().parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}


def stages(*words: str, **options) -> subprocess.CompletedProcess:
    """`python -m stages ...` in the current folder."""
    command = [sys.executable, "-m", "stages", *words]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300, **options)


def ran(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.fixture
def small(project, edit):
    """Table 2 with 2 cases, and Table 5 with two runs of two epochs on 640 images."""
    edit("params/recipes/gradients_smoke.gin", "gradient_check.cases = 64", "gradient_check.cases = 2")
    recipe = "params/recipes/pretrain_smoke.gin"
    edit(recipe, "dataset.limit = 2000", "dataset.limit = 640")
    edit(recipe, "Pretraining.batch_size = 128", "Pretraining.batch_size = 32")
    edit(recipe, "Pretraining.epochs = 3", "Pretraining.epochs = 2")
    edit("params/recipes/linear_eval_smoke.gin", "evaluation.epochs = 3", "evaluation.epochs = 1")
    edit("params/exhibits/table_05.yaml", "    - 0.05\n    - 0.1\n    - 0.5\n    - 1.0\n", "    - 0.5\n")
    edit("params/exhibits/table_05.yaml", "    - 10.0\n    - 100.0\n", "    - 10.0\n")
    for path in (project / "params" / "exhibits").glob("*.yaml"):
        if path.stem not in ("table_02", "table_05"):
            path.unlink()
    replan()
    return project


def replan() -> None:
    """As `python -m stages plan` does in a process of its own."""
    for cached in (fingerprint.adoptions, fingerprint.declaration_of, schemas._validator):
        cached.cache_clear()
    assert plan.main(["--quiet", "--scale", "smoke"]) == 0


def prepare() -> None:
    assert not preparing.main(["--scale", "smoke"])


def test_the_second_time_nothing_runs_and_torch_is_not_imported(small):
    assert ran(stages("gradients", "--sweep", "table_02")) == "gradients table_02: ran 3 of 3 runs"
    probe = (
        "import sys; from stages.__main__ import main; status = main(['gradients', '--sweep', 'table_02']); "
    )
    done = subprocess.run(
        [sys.executable, "-c", probe + "assert status == 0 and 'torch' not in sys.modules"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert ran(done) == "gradients table_02: ran 0 of 3 runs"


def test_an_edit_reruns_one_run_and_taking_it_back_reruns_none(small, edit):
    stages("gradients", "--sweep", "table_02")
    edit("params/exhibits/table_02.yaml", "      - 1.6\n", "      - 1.5\n")
    replan()
    assert ran(stages("gradients", "--sweep", "table_02")).endswith("ran 1 of 3 runs")
    edit("params/exhibits/table_02.yaml", "      - 1.5\n", "      - 1.6\n")
    replan()
    assert ran(stages("gradients", "--sweep", "table_02")).endswith("ran 0 of 3 runs")


def test_a_damaged_run_is_made_again_and_a_removed_one_linked(small):
    stages("gradients", "--sweep", "table_02")
    run = plans.read_plan("table_02", "smoke").runs("gradients")[0]
    folder = run.folder(Path("results"))
    os.truncate(folder / "metrics.json", 5)  # the store's file is the same file
    assert ran(stages("gradients", "--sweep", "table_02")).endswith("ran 1 of 3 runs")
    assert json.loads((folder / "metrics.json").read_text())["cases"] == 8
    for path in folder.iterdir():
        path.unlink()
    assert ran(stages("gradients", "--sweep", "table_02")).endswith("ran 0 of 3 runs")


def test_results_without_a_store_are_taken_as_they_are(small):
    """What `dvc pull` brings is the sweep's folder alone."""
    import shutil

    stages("gradients", "--sweep", "table_02")
    shutil.rmtree("results/smoke/store")
    assert ran(stages("gradients", "--sweep", "table_02")).endswith("ran 0 of 3 runs")


def test_another_layout_is_refused(small):
    stages("gradients", "--sweep", "table_02")
    run = plans.read_plan("table_02", "smoke").runs("gradients")[0]
    path = run.folder(Path("results")) / "run.json"
    path.write_text(json.dumps(sealed({**json.loads(path.read_text()), "layout": 0})))
    done = stages("gradients", "--sweep", "table_02")
    assert (
        done.returncode == 2
        and "results of another version" in done.stderr
        and "Traceback" not in done.stderr
    )


def test_a_run_that_the_sweep_no_longer_declares_leaves_its_folder(small, edit):
    stages("gradients", "--sweep", "table_02")
    edit(
        "params/exhibits/table_02.yaml",
        "    - NT-Xent\n    - NT-Logistic\n    - Margin Triplet\n",
        "    - NT-Xent\n",
    )
    replan()
    assert ran(stages("gradients", "--sweep", "table_02")).endswith("ran 0 of 1 runs")
    assert [path.name for path in Path("results/smoke/gradients/table_02").iterdir()] == ["loss1-seed0"]


def test_a_crash_fails_that_run_only(small):
    folder = store.partial_folder(Path("results"), plans.read_plan("table_02", "smoke").runs("gradients")[1])
    folder.parent.mkdir(parents=True)
    folder.write_text("in its way")
    done = stages("gradients", "--sweep", "table_02")
    assert done.returncode == 1
    assert "ran 2 of 3 runs" in done.stdout and "run loss2-seed0 of gradients table_02 failed" in done.stderr
    assert not Path("results/smoke/index/table_02/trained/gradients.json").exists()


RECIPE = "params/recipes/pretrain_smoke.gin"
FIRST = ("pretrain", "--sweep", "table_05", "--run", "part1-l2_norm1-temperature1-seed0")


def started(*words: str) -> subprocess.Popen:
    """The command in a session of its own, at work."""
    command = [sys.executable, "-m", "stages", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # As in a terminal: what a shell starts in the background ignores Ctrl-C, and so would the driver.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        driver = subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True, **pipes)
    finally:
        signal.signal(signal.SIGINT, heard)
    # The first step of a run is told at once.
    assert "runs" in driver.stderr.readline()
    return driver


def eventually(true, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


def is_free(run: plans.Run) -> bool:
    """Whether nobody is at work on the run."""
    with store.locked(store.store_folder(Path("results"), run)) as mine:
        return mine


def test_a_run_broken_four_times_ends_in_the_bytes_of_an_unbroken_one(small, edit):
    """SIGTERM, Ctrl-C and the driver's sudden end cost nothing; that of all processes what came after a checkpoint."""
    edit(RECIPE, "Pretraining.epochs = 2", "Pretraining.epochs = 30")
    replan()
    prepare()
    run = plans.read_plan("table_05", "smoke").runs("pretrain")[0]
    checkpoint = store.partial_folder(Path("results"), run) / "checkpoint.safetensors"
    for number, status in ((signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)):
        driver = started(*FIRST)
        begun = time.monotonic()
        os.killpg(driver.pid, number) if number == signal.SIGINT else driver.send_signal(number)
        said, error = driver.communicate(timeout=60)
        assert driver.returncode == status and time.monotonic() - begun < 60
        assert "1 run wrote a checkpoint: the same command goes on from there" in said
        assert "Traceback" not in error and checkpoint.is_file() and is_free(run)
    before = checkpoint.stat().st_mtime_ns
    driver = started(*FIRST)
    driver.kill()
    eventually(lambda: is_free(run), 60)
    assert checkpoint.stat().st_mtime_ns > before, "the child that was left alone wrote none"
    edit(RECIPE, "execution.threads = 1\n", "execution.threads = 1\nexecution.checkpoint_minutes = 0.0\n")
    replan()
    before = checkpoint.stat().st_mtime_ns
    driver = started(*FIRST)
    eventually(lambda: checkpoint.stat().st_mtime_ns > before, 120)
    os.killpg(driver.pid, signal.SIGKILL)
    eventually(lambda: is_free(run), 60)
    assert not run.folder(Path("results")).exists()
    assert ran(stages(*FIRST)).endswith("ran 1 of 1 runs")
    Path("unbroken/smoke").mkdir(parents=True)
    Path("unbroken/smoke/data").symlink_to(Path("results/smoke/data").resolve())
    assert ran(stages(*FIRST, "--results", "unbroken")).endswith("ran 1 of 1 runs")
    assert files_of(run) == files_of(run, Path("unbroken"))


def files_of(run: plans.Run, results: Path = Path("results")) -> dict[str, str]:
    """The checksums of everything that a run promises to be the same."""
    return json.loads((run.folder(results) / "run.json").read_text())["files"]


def test_two_drivers_at_once_do_each_run_once(small):
    command = [sys.executable, "-m", "stages", "gradients", "--sweep", "table_02", "--jobs", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, env=ENVIRONMENT, **pipes) for _ in range(2)]
    said = [driver.communicate(timeout=120) for driver in both]
    assert [driver.returncode for driver in both] == [0, 0], said
    counts = [int(re.search(r"ran (\d) of 3 runs", out)[1]) for out, _ in said]
    assert sum(counts) == 3


def test_a_run_that_another_command_is_at_work_on_keeps_no_other_waiting(small):
    runs = plans.read_plan("table_02", "smoke").runs("gradients")
    results = Path("results")
    with store.locked(store.store_folder(results, runs[0])) as mine:
        assert mine
        command = [sys.executable, "-m", "stages", "gradients", "--sweep", "table_02", "--jobs", "1"]
        driver = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        for run in runs[1:]:
            eventually(lambda run=run: store.is_finished(store.store_folder(results, run), run), 60)
        # It waits, and asks about once a second.
        spent = processor_seconds(driver.pid)
        time.sleep(2)
        assert driver.poll() is None and processor_seconds(driver.pid) - spent < 0.5
    assert "ran 3 of 3 runs" in driver.communicate(timeout=60)[0]


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_a_failed_run_fails_what_evaluates_it_by_name_and_nothing_else(small):
    prepare()
    broken, whole = plans.read_plan("table_05", "smoke").runs("pretrain")
    folder = store.partial_folder(Path("results"), broken)
    folder.parent.mkdir(parents=True)
    folder.write_text("in its way")
    done = stages("run", "--exhibit", "table_05")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"run {broken.id} of pretrain table_05 failed" in done.stderr and str(folder) in done.stderr
    for stage in ("pretrain", "linear_eval"):
        assert f"{stage} table_05: ran 1 of 2 runs" in done.stdout
        assert not Path(f"results/smoke/index/table_05/trained/{stage}.json").exists()
    assert f"its pretrain run {broken.id} of table_05 failed" in done.stderr
    assert whole.id not in done.stderr
    folder.unlink()
    done = stages("run", "--exhibit", "table_05")
    assert done.returncode == 0 and done.stdout.count("ran 1 of 2 runs") == 2


def test_a_missing_data_set_stops_before_training(small):
    done = stages("pretrain", "--sweep", "table_05")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert done.stderr.count("is not prepared") == 1, "once, and not for every run"
    assert "python -m stages prepare --scale smoke" in done.stderr and "ran 0" not in done.stdout


def test_a_truncated_array_is_named(small):
    prepare()
    path = Path("results/smoke/data/cifar10_subset/train.images.npy")
    os.truncate(path, path.stat().st_size // 2)
    done = stages("pretrain", "--sweep", "table_05")
    assert done.returncode != 0 and "train.images.npy" in done.stderr and "Traceback" not in done.stderr


def test_a_full_disk_is_said_and_what_was_finished_stays(small):
    """A real one: a file system of 64 kB in a mount namespace of its own."""
    disk = small / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k none {disk} && {sys.executable} -m stages gradients --sweep table_02"
    )
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*command, f"mount -t tmpfs none {disk}"], capture_output=True).returncode:
        pytest.skip("this machine gives no mount namespaces")
    fill = f"&& head -c 60000 /dev/zero > {disk}/filler"
    done = subprocess.run(
        [*command, script.replace(" && ", f" {fill} && ", 1) + f" --results {disk}"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "disk is full" in done.stderr or "No space left" in done.stderr
    assert "free some space" in done.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["gradients", "--sweep", "table_09"], "unknown exhibit `table_09`"),
        (["gradients", "--sweep", "table_05"], "table_05 has no stage gradients"),
        (["gradients", "--sweep", "table_02", "--scale", "smok"], "did you mean `smoke`?"),
        (["gradients", "--sweep", "table_02", "--run", "loss1-seed1"], "did you mean `loss1-seed0`?"),
        (["gradient"], "did you mean `gradients`?"),
    ],
)
def test_a_wrong_name_gets_the_nearest_one(small, words, text):
    done = stages(*words)
    assert done.returncode == 2 and text in done.stderr and "Traceback" not in done.stderr


def test_runs_keep_their_memory_unless_the_user_has_said_how(monkeypatch):
    monkeypatch.setattr(driver.forkserver, "ensure_running", lambda: None)
    for said, expected in ((None, driver.KEEP_MEMORY), ("glibc.malloc.check=3", "glibc.malloc.check=3")):
        monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
        if said:
            monkeypatch.setenv("GLIBC_TUNABLES", said)
        driver.fork_server([])
        assert os.environ["GLIBC_TUNABLES"] == expected
