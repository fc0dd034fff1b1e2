"""One run at work: its bindings and no others, a checkpoint that survives, an account of what decided it."""

import errno
import json
import os
import platform
import re
import time

import gin
import pytest
import torch

from common import atomic, files
from common.errors import UserError
from simclr.divergence import Diverged
from stages import gradients
from stages.data import datasets
from stages.planning import fingerprint, recipes
from stages.planning.code_hashes import code_hash
from stages.planning.plans import Run
from stages.running import child, job, provenance, stopping, store
from stages.running.job import Job, bind
from stages.running.provenance import cause_of
from stages.running.stopping import Stopped
from stages.running.store import CHECKPOINT
from tests.stages import tiny

BINDINGS = {
    "execution.device": "cpu",
    "gradient_check.loss": "nt_xent",
    "gradient_check.parameters": [0.5, 1.0],
    "gradient_check.cases": 2,
}


@pytest.fixture
def at_work(project):
    """at_work(results, **changed bindings) -> a job of stage gradients; "__" stands for the dot."""

    def start(results: str = "results", **changes: object) -> Job:
        return Job(a_run(**changes), project / results)

    return start


def a_run(**changes: object) -> Run:
    bindings = BINDINGS | {name.replace("__", "."): value for name, value in changes.items()}
    return Run("table_02", "smoke", "gradients", "loss1-seed0", 3, bindings, {"loss": "NT-Xent"})


def bound(folder) -> dict[str, object]:
    """Everything that gin holds now, by way of its own text."""
    (folder / "now.gin").write_text(gin.config_str())
    return {key: value for key, (value, _) in recipes.read_recipe(folder / "now.gin").items()}


def test_gin_holds_exactly_the_bindings_of_the_run_and_nothing_of_an_earlier_one(project):
    bind(tiny.a_run("pretrain"))
    assert bound(project)["resnet.depth"] == 8
    bind(a_run())
    assert bound(project) == {**BINDINGS, "gradient_check.parameters": (0.5, 1.0)}
    with pytest.raises(ValueError):
        gin.query_parameter("resnet.depth")


def test_a_locked_gin_is_bound_all_the_same(project):
    gin.parse_config("execution.threads = 3")  # which locks it
    bind(a_run())
    assert "execution.threads" not in bound(project)


def test_the_operative_gin_is_of_this_run_alone(at_work):
    bind(tiny.a_run("supervised"))
    gin.get_configurable("execution")()
    work = at_work()
    gradients.work(work)
    text = (store.store_folder(work.results, work.run) / "operative.gin").read_text()
    assert "gradient_check.cases = 2" in text and "gradient_check.dimension = 16" in text  # defaults too
    assert "resnet" not in text and "ViewPolicy" not in text and "tiny" not in text


def state() -> dict[str, torch.Tensor]:
    draws = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    return {"weight": draws, "sums/loss": draws.double()[0, 0], "step_number": torch.tensor(7)}


def test_a_checkpoint_comes_back_to_the_bit(at_work):
    work = at_work(execution__checkpoint_minutes=0.0)
    assert work.restore() is None
    work.checkpoint(state)
    found = at_work(execution__checkpoint_minutes=0.0).restore()
    assert found.keys() == state().keys()
    for name, tensor in state().items():
        assert torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype


def test_a_checkpoint_waits_for_the_declared_minutes(at_work, monkeypatch):
    work = at_work(execution__checkpoint_minutes=5.0)
    begun = work.saved

    def after(seconds: float) -> bool:
        """Whether a checkpoint is saved so many seconds after the start."""
        (work.folder / CHECKPOINT).unlink(missing_ok=True)
        monkeypatch.setattr(time, "monotonic", lambda: begun + seconds)
        work.checkpoint(state)
        return (work.folder / CHECKPOINT).exists()

    assert [after(seconds) for seconds in (0, 299, 301, 302, 599, 602)] == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("size", [0, 7, 60])
def test_a_damaged_checkpoint_is_discarded_and_the_run_starts_anew(at_work, size):
    work = at_work(execution__checkpoint_minutes=0.0)
    work.checkpoint(state)
    os.truncate(work.folder / CHECKPOINT, size)
    assert work.restore() is None and not (work.folder / CHECKPOINT).exists()


def test_a_changed_byte_anywhere_in_a_checkpoint_is_seen(at_work, capsys):
    work = at_work(execution__checkpoint_minutes=0.0)
    work.checkpoint(state)
    path = work.folder / CHECKPOINT
    whole = path.read_bytes()
    for place in range(0, len(whole), 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert work.restore() is None and not path.exists(), place
        assert capsys.readouterr().err == f"{path}: damaged, discarded; the run starts anew\n"
    path.write_bytes(whole)
    assert work.restore().keys() == state().keys() and capsys.readouterr().err == ""


def test_a_checkpoint_from_before_checksums_is_taken(at_work):
    work = at_work()
    files.write_tensors(work.folder / CHECKPOINT, state())
    found = work.restore()
    assert torch.equal(found["weight"], state()["weight"]) and work.seconds_before == 0


def test_the_seconds_of_a_resumed_run_are_those_of_all_its_parts(at_work, monkeypatch):
    """Its images are: images per second would be too many."""
    clock = iter([])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    clock = iter([100.0, 130.0, 130.0, 130.0])
    at_work(execution__checkpoint_minutes=0.0).checkpoint(state)
    clock = iter([5.0, 15.0, 15.0, 15.0])
    second = at_work(execution__checkpoint_minutes=0.0)
    assert second.restore()
    second.checkpoint(state)  # killed again
    clock = iter([7.0, 9.0])
    last = at_work(execution__checkpoint_minutes=0.0)
    assert last.restore()
    last.images = 840
    last.finish({})
    record = files.read_json(store.store_folder(last.results, last.run) / "record.json")
    assert (record["seconds"], record["images_per_second"]) == (42.0, 20.0)


def test_another_run_does_not_see_the_checkpoint(at_work):
    at_work(execution__checkpoint_minutes=0.0).checkpoint(state)
    assert at_work(execution__checkpoint_minutes=0.0, gradient_check__cases=3).restore() is None


def test_a_finished_run_has_no_checkpoint_and_says_what_decided_it(at_work):
    work = at_work(execution__checkpoint_minutes=0.0)
    work.checkpoint(state)
    work.save_curve([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 1 / 3}])
    work.finish({"max_error": 1, "cases": torch.tensor(4.0)})
    folder = store.store_folder(work.results, work.run)
    names = {path.name for path in folder.iterdir()}
    assert names == {"curve.csv", "metrics.json", "operative.gin", "record.json", "run.json"}
    assert (folder / "curve.csv").read_text() == "epoch,loss\n1,0.5\n2,0.3333333333\n"
    assert files.read_json(folder / "metrics.json") == {"max_error": 1.0, "cases": 4.0}
    assert store.is_finished(folder, work.run)


def test_a_metric_that_is_no_number_stops_the_run(at_work):
    work = at_work()
    with pytest.raises(ValueError):
        work.finish({"max_error": float("nan")})
    assert not store.store_folder(work.results, work.run).exists()


def test_the_cause_names_everything_that_the_fingerprint_is_made_of(project, monkeypatch):
    entry = {
        "stage": "linear_eval",
        "code": code_hash("linear_eval"),
        "same_as": "0" * 16,
        "reason": "a name",
    }
    files.write_yaml(project / "params" / "adopted.yaml", [entry])
    fingerprint.adoptions.cache_clear()
    tiny.prepare_tiny(project)
    upstream = tiny.a_run("pretrain")
    run = tiny.a_run("linear_eval", upstream, seed=4)
    cause = cause_of(run)
    versions = cause.pop("versions")
    assert cause == {
        "fingerprint": run.fingerprint,
        "stage": "linear_eval",
        "seed": 4,
        "bindings": run.bindings,
        "code": code_hash("linear_eval"),
        "adopted": entry,
        "data": fingerprint.data_hash("tiny"),
        "upstream": upstream.fingerprint,
    }
    assert versions["python"] == platform.python_version()
    assert versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert versions.keys() == {*provenance.LIBRARIES, "python"}
    without = cause_of(a_run())
    assert without["data"] is without["upstream"] is without["adopted"] is None


def test_equal_runs_have_equal_bytes_and_only_the_record_differs(at_work, monkeypatch):
    folders = []
    for results, pace in (("one", 1), ("two", 5000)):
        monkeypatch.setattr(time, "monotonic", lambda pace=pace: pace * time.perf_counter())
        work = at_work(results)
        gradients.work(work)
        folders.append(store.store_folder(work.results, work.run))
    one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert one.keys() == two.keys()
    assert {name for name in one if one[name] != two[name]} == {"record.json"}


def test_no_clock_no_host_and_no_folder_stand_in_what_must_be_equal(at_work, project):
    work = at_work()
    gradients.work(work)
    folder = store.store_folder(work.results, work.run)
    for path in folder.iterdir():
        if path.name != "record.json":
            text = path.read_text()
            assert not re.search(r"\d\d:\d\d:\d\d|20\d\d-\d\d-\d\d", text), path.name
            assert platform.node() not in text and str(project) not in text and os.sep + "tmp" not in text
    record = json.loads((folder / "record.json").read_text())
    assert record.keys() == {
        *("seconds", "images_per_second", "finished", "host", "platform", "processor", "device"),
        *("processes", "git"),
    }
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record["finished"])
    assert record["host"] == platform.node() and record["device"] == "cpu" and record["seconds"] >= 0
    assert "record.json" not in tiny.listed(folder)


def test_progress_counts_for_the_record(project):
    told = []
    work = Job(a_run(), project / "results", lambda *counts: told.append(counts))
    work.tell(640, 1280)
    work.started -= 64
    work.finish({})
    record = files.read_json(store.store_folder(work.results, work.run) / "record.json")
    assert told == [(640, 1280)] and 9 < record["images_per_second"] <= 10


def test_outside_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    state = provenance.git_state()
    assert state["commit"] is state["patch_sha256"] is None and "not a git repository" in state["why"]


def test_without_git_a_finished_training_is_kept(at_work, monkeypatch):
    monkeypatch.setenv("PATH", "")
    work = at_work()
    gradients.work(work)
    record = json.loads((store.store_folder(work.results, work.run) / "record.json").read_text())
    assert record["git"]["commit"] is None and "git" in record["git"]["why"]


def test_a_folder_that_git_refuses_is_said(project, monkeypatch):
    git = project / "git"
    git.write_text("#!/bin/sh\necho 'fatal: detected dubious ownership in repository' >&2\nexit 128\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(project), prepend=os.pathsep)
    assert "dubious ownership" in provenance.git_state()["why"]


def test_data_are_read_from_the_scales_folder(project):
    tiny.prepare_tiny(project)
    images, labels = Job(tiny.a_run("pretrain"), tiny.RESULTS).data("train+validation")
    assert images.shape == (48, 3, 8, 8) and labels.bincount().tolist() == [16, 16, 16]
    with pytest.raises(UserError, match="no such split") as caught:
        Job(tiny.a_run("pretrain"), tiny.RESULTS).data("tests")
    assert all(split in str(caught.value) for split in datasets.SPLITS)


class Upstream:
    """A sealed pretraining whose weights are three small tensors, and the job that wants them."""

    def __init__(self) -> None:
        self.run = tiny.a_run("pretrain")
        work = Job(self.run, tiny.RESULTS)
        self.tensors = {
            "encoder.a": torch.arange(3.0),
            "encoder.b.encoder.c": torch.ones(2),
            "head.a": torch.zeros(1),
        }
        files.write_tensors(work.folder / "weights.safetensors", self.tensors)
        work.finish({"loss": 1.0})
        self.folder = self.run.folder(tiny.RESULTS)
        atomic.link_tree(store.store_folder(tiny.RESULTS, self.run), self.folder)

    def wanted(self, prefix: str = "encoder", **changes: object) -> dict[str, torch.Tensor]:
        upstream = tiny.a_run("pretrain", **changes)
        return Job(tiny.a_run("linear_eval", upstream), tiny.RESULTS).upstream_tensors(prefix)


@pytest.fixture
def upstream(project) -> Upstream:
    tiny.prepare_tiny(project)
    return Upstream()


def test_upstream_tensors_lose_their_prefix_once(upstream):
    found = upstream.wanted()
    assert found.keys() == {"a", "b.encoder.c"}
    assert torch.equal(found["a"], upstream.tensors["encoder.a"])
    assert upstream.wanted("head").keys() == {"a"}


def test_damaged_upstream_weights_are_refused(upstream):
    path = upstream.folder / "weights.safetensors"
    with open(path, "r+b") as file:  # the store's file is the same file, and stays a whole safetensors file
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    with pytest.raises(UserError, match="a finished run is damaged") as caught:
        upstream.wanted()
    assert "weights.safetensors" in str(caught.value)


def test_the_weights_of_another_pretraining_are_refused(upstream):
    with pytest.raises(UserError, match="not the one that the plan describes") as caught:
        upstream.wanted(nt_xent__temperature=0.1)
    assert "run stage pretrain" in str(caught.value) and upstream.run.fingerprint in str(caught.value)


def test_a_missing_upstream_run_is_named(upstream):
    for folder in (upstream.folder, store.store_folder(tiny.RESULTS, upstream.run)):
        (folder / "run.json").unlink()
    with pytest.raises(UserError, match="a file is missing"):
        upstream.wanted()


def attempt(run: Run, results) -> str:
    return child._attempt(run, results, lambda done, total: None)


def test_the_report_of_a_failure_does_not_outlive_it(project, monkeypatch):
    """A run that failed once and then succeeded has the bytes of one that never failed."""
    run, results = a_run(), project / "results"

    def fails(_):
        raise RuntimeError("the machine was unwell")

    with monkeypatch.context() as patch:
        patch.setattr(gradients, "work", fails)
        assert "the machine was unwell" in attempt(run, results)
    assert (store.partial_folder(results, run) / "error.txt").is_file()
    assert attempt(run, results) == "finished"
    assert attempt(run, project / "unbroken") == "finished"
    found, expected = (tiny.listed(store.store_folder(r, run)) for r in (results, project / "unbroken"))
    assert found == expected


def test_a_lock_that_cannot_be_opened_is_told(project, monkeypatch):
    run, results = a_run(), project / "results"
    lock = store.store_folder(results, run).with_suffix(".lock")
    lock.mkdir(parents=True)
    assert str(lock) in attempt(run, results) and "Is a directory" in attempt(run, results)
    refused = PermissionError(errno.EACCES, "Permission denied", str(lock))
    monkeypatch.setattr(child.store, "locked", lambda folder: (_ for _ in ()).throw(refused))
    said = attempt(run, results)
    assert "Permission denied" in said and "check the owner" in said


def test_a_crash_is_told_where_its_report_cannot_be_written(project, monkeypatch):
    run, results = a_run(), project / "results"

    def fails(_):
        (store.partial_folder(results, run) / "error.txt").mkdir()
        raise RuntimeError("the machine was unwell")

    monkeypatch.setattr(gradients, "work", fails)
    said = attempt(run, results)
    assert said.startswith("RuntimeError: the machine was unwell") and "Traceback" in said


def test_a_divergence_is_a_result_and_what_evaluates_it_says_so(project, monkeypatch):
    run, results = a_run(), project / "results"

    def diverges(_):
        raise Diverged(42, 1.5)

    with monkeypatch.context() as patch:
        patch.setattr(gradients, "work", diverges)
        assert attempt(run, results) == "finished"
    cause = store.read_run(store.store_folder(results, run))
    assert cause["diverged"] == {"stage": "gradients", "step": 42, "last_finite_loss": 1.5}
    assert files.read_json(store.store_folder(results, run) / "metrics.json") == {}
    assert attempt(run, results) == "found"
    after = Run("table_02", "smoke", "gradients", "loss1-seed0", 4, BINDINGS, {}, upstream=run)
    assert attempt(after, results) == "finished"
    assert store.read_run(store.store_folder(results, after))["diverged"] == cause["diverged"]


def test_a_request_to_stop_writes_a_checkpoint_at_once(at_work, monkeypatch):
    work = at_work(execution__checkpoint_minutes=60.0)
    work.checkpoint(state)
    assert work.restore() is None
    monkeypatch.setattr(stopping.STOP, "is_set", lambda: True)
    with pytest.raises(Stopped):
        work.checkpoint(state)
    assert work.restore().keys() == state().keys()


def test_local_batch_norm_over_several_processes_is_refused(data, monkeypatch):
    """Their number is no part of the fingerprint, and would decide the numbers."""
    run = tiny.a_run("pretrain", BatchNorm__global_statistics=False)
    Job(run, tiny.RESULTS)
    monkeypatch.setattr(job, "world_size", lambda: 2)
    with pytest.raises(UserError, match="their number would decide the numbers") as caught:
        Job(run, tiny.RESULTS)
    assert "BatchNorm.groups" in caught.value.remedy
    Job(tiny.a_run("pretrain"), tiny.RESULTS)
