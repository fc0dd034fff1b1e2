"""A sweep: exact per run, shared between exhibits, safe against crashes, kills and damage.

The stage here is `gradients` (no data, a second a run) or `pretrain` on a few images; the processes are real.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.seals import sealed
from stages.planning import plans
from stages.running import store

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
    """Table 2 with 2 cases, and Table 5 with two runs of one epoch on 256 images."""
    edit("params/recipes/gradients_smoke.gin", "gradient_check.cases = 64", "gradient_check.cases = 2")
    recipe = "params/recipes/pretrain_smoke.gin"
    edit(recipe, "dataset.limit = 2000", "dataset.limit = 640")
    edit(recipe, "Pretraining.batch_size = 128", "Pretraining.batch_size = 32")
    edit(recipe, "Pretraining.epochs = 3", "Pretraining.epochs = 2")
    edit("params/exhibits/table_05.yaml", "    - 0.05\n    - 0.1\n    - 0.5\n    - 1.0\n", "    - 0.5\n")
    edit("params/exhibits/table_05.yaml", "    - 10.0\n    - 100.0\n", "    - 10.0\n")
    replan()
    return project


def replan() -> None:
    assert stages("plan", "--quiet", "--scale", "smoke").returncode == 0


def prepare() -> None:
    done = stages("prepare", "--scale", "smoke")
    assert done.returncode == 0, done.stderr


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


def test_a_crash_fails_that_run_only(small, edit):
    edit(
        "params/exhibits/table_02.yaml", "gradient_check.loss: nt_logistic", "gradient_check.loss: nt_lgistic"
    )
    replan()
    done = stages("gradients", "--sweep", "table_02")
    assert done.returncode == 1
    assert "ran 2 of 3 runs" in done.stdout and "run loss2-seed0 of gradients table_02 failed" in done.stderr
    assert not Path("results/smoke/index/table_02/trained/gradients.json").exists()


def test_a_killed_pretraining_ends_in_the_bytes_of_an_unbroken_one(small, edit, tmp_path):
    edit(
        "params/recipes/pretrain_smoke.gin",
        "execution.threads = 1\n",
        "execution.threads = 1\nexecution.checkpoint_minutes = 0.0\n",
    )
    replan()
    prepare()
    runs = plans.read_plan("table_05", "smoke").runs("pretrain")
    command = [sys.executable, "-m", "stages", "pretrain", "--sweep", "table_05", "--jobs", "1"]
    driver = subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True, stderr=subprocess.DEVNULL)
    checkpoint = store.partial_folder(Path("results"), runs[0]) / "checkpoint.safetensors"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    assert checkpoint.exists() and not runs[0].folder(Path("results")).exists()
    assert ran(stages("pretrain", "--sweep", "table_05")).endswith("ran 2 of 2 runs")
    broken = files_of(runs[0])
    stages("pretrain", "--sweep", "table_05", "--results", "unbroken")
    Path("unbroken/smoke").mkdir(parents=True, exist_ok=True)
    if not Path("unbroken/smoke/data").exists():
        Path("unbroken/smoke/data").symlink_to(Path("results/smoke/data").resolve())
    assert ran(stages("pretrain", "--sweep", "table_05", "--results", "unbroken")).endswith("of 2 runs")
    assert broken == files_of(runs[0], Path("unbroken"))


def files_of(run: plans.Run, results: Path = Path("results")) -> dict[str, str]:
    """The checksums of everything that a run promises to be the same."""
    return json.loads((run.folder(results) / "run.json").read_text())["files"]


def test_a_sweep_that_is_terminated_stops_its_children(small):
    prepare()
    command = [sys.executable, "-m", "stages", "pretrain", "--sweep", "table_05", "--jobs", "1"]
    driver = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    partial = Path("results/smoke/store/pretrain")
    deadline = time.monotonic() + 120
    while not list(partial.glob("*.partial")) and time.monotonic() < deadline:
        time.sleep(0.02)
    driver.terminate()
    assert driver.wait(30) == 128 + signal.SIGTERM
    done = stages("pretrain", "--sweep", "table_05")
    assert ran(done).endswith("of 2 runs")


def test_a_missing_data_set_stops_before_training(small):
    done = stages("pretrain", "--sweep", "table_05")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "no prepared data set here" in done.stderr and "prepare" in done.stderr


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
