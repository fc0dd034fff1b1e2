"""A checkpoint written by TensorFlow itself, with the golden weights: what we read gives the official features."""

import importlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from common import files
from common.errors import UserError
from simclr.encoder import resnet
from simclr.heads import projection_head
from simclr.official import encoder_variables, head_variables
from stages import import_official
from stages.planning import plans
from stages.running import child, origins, store, sweeps
from stages.running.job import Job
from tests.simclr.official_weights import our_weights
from tests.stages import tiny

SAVE = """
import sys, numpy, tensorflow
with numpy.load(sys.argv[1]) as file:
    arrays = dict(file)
names = sorted(arrays)
tensorflow.raw_ops.SaveV2(
    prefix=sys.argv[2], tensor_names=names, shape_and_slices=[""] * len(names), tensors=[arrays[n] for n in names]
)
"""

EXHIBIT = """\
knobs: {depth: resnet.depth}
set: {resnet.depth: 18, resnet.stem: cifar, resnet.base_channels: 64, projection_head.out_dim: 128}
runs: [{chain: [pretrain], grid: {}}]
measure: [pretrain.params]
seeds: [0]
"""
RNG = np.random.default_rng(0)
KERNEL, BIAS = RNG.normal(size=(512, 10)).astype(np.float32), RNG.normal(size=10).astype(np.float32)


def official_variables(case: dict) -> dict[str, np.ndarray]:
    """The golden network as the official code would save it, with optimizer slots and the step."""
    weights = our_weights(case)
    with torch.device("meta"):
        encoder, head = resnet(18, stem="cifar"), projection_head(512)
    variables = {}
    for official, ours in encoder_variables(encoder).items():
        value = weights[f"encoder.{ours}"]
        variables[official] = (value.permute(2, 3, 1, 0) if value.dim() == 4 else value).float().numpy()
        variables[f"{official}/Momentum"] = np.zeros_like(variables[official])
    for official, ours in head_variables(head).items():
        shape = tuple(reversed(head.state_dict()[ours].shape))
        variables[official] = RNG.normal(size=shape).astype(np.float32)
    scope = "head_supervised/linear_layer/dense"
    return variables | {f"{scope}/kernel": KERNEL, f"{scope}/bias": BIAS, "global_step": np.int64(225206)}


def save(prefix: Path, variables: dict[str, np.ndarray]) -> Path:
    """As TensorFlow writes it. It is never imported here: in one process with PyTorch's compiler it crashes."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("optional: `make official` installs it")
    prefix.parent.mkdir(parents=True, exist_ok=True)
    arrays = prefix.with_name("arrays.npz")
    np.savez(arrays, **variables)
    subprocess.run([sys.executable, "-c", SAVE, str(arrays), str(prefix)], check=True, capture_output=True)
    arrays.unlink()
    return prefix


@pytest.fixture
def case(golden):
    arrays, cases = golden("resnet_forward")
    return arrays, cases[0]


@pytest.fixture
def run(project):
    """A planned pretraining of the golden network."""
    tiny.declare_only(project, {"table_06": EXHIBIT})
    plans.write_plan(plans.resolve("table_06", "smoke"))
    return plans.read_plan("table_06", "smoke").runs("pretrain")[0]


@pytest.fixture
def checkpoint(tmp_path, case) -> Path:
    return save(tmp_path / "1x" / "model.ckpt-225206", official_variables(case[1]))


def parity_file(path: Path, arrays: dict[str, np.ndarray], shift: float = 0.0) -> Path:
    """What the official network gave: its features (golden) through the saved classifier."""
    features = arrays["net0_r18_cifar_32_eval_features"]
    images = arrays["net0_r18_cifar_32_img"].astype(np.float32) / 255
    np.savez(path, images=images, logits=features @ KERNEL + BIAS + shift)
    return path


def test_the_imported_network_gives_the_official_logits(run, checkpoint, case, tmp_path, capsys):
    parity = parity_file(tmp_path / "logits.npz", case[0])
    words = [
        "--checkpoint",
        str(checkpoint),
        "--exhibit",
        "table_06",
        "--run",
        run.id,
        "--parity",
        str(parity),
    ]
    assert import_official.main(words) == 0
    assert "agree within" in capsys.readouterr().out
    cause = files.read_json(run.folder(tiny.RESULTS) / "run.json")
    assert cause["fingerprint"] == run.fingerprint
    assert cause["imported"]["checkpoint"] == "model.ckpt-225206" and "agree" in cause["imported"]["parity"]
    assert set(cause["imported"]["sha256"]) == {
        "model.ckpt-225206.index",
        "model.ckpt-225206.data-00000-of-00001",
    }
    saved = files.read_tensors(run.folder(tiny.RESULTS) / "weights.safetensors")
    assert torch.equal(saved["classifier.weight"], torch.from_numpy(KERNEL.T))
    assert {name.split(".")[0] for name in saved} == {"encoder", "head", "classifier"}
    assert files.read_json(run.folder(tiny.RESULTS) / "metrics.json") == {"params": pytest.approx(11.173056)}


def test_its_evaluations_run_without_pretraining(run, checkpoint):
    """The driver finds the run finished."""
    import_official.import_checkpoint(checkpoint, run, tiny.RESULTS)
    plan = plans.read_plan("table_06", "smoke")
    assert sweeps.bring([sweeps.Sweep(plan, "pretrain")], tiny.RESULTS, 1, "pretrain") == 0
    assert (
        json.loads(plan.index_path(tiny.RESULTS, "pretrain").read_text())[run.id]["fingerprint"]
        == run.fingerprint
    )


def test_other_logits_are_refused_and_nothing_is_left(run, checkpoint, case, tmp_path):
    parity = parity_file(tmp_path / "logits.npz", case[0], shift=0.5)
    with pytest.raises(UserError, match="does not give the official numbers"):
        import_official.import_checkpoint(checkpoint, run, tiny.RESULTS, parity)
    assert not run.folder(tiny.RESULTS).exists()


def test_a_checkpoint_of_another_network_is_refused(run, checkpoint, case, tmp_path):
    variables = official_variables(case[1])
    missing = {name: value for name, value in variables.items() if "conv2d_20" not in name}
    with pytest.raises(UserError, match=r"another network[\s\S]*base_model/conv2d_20/kernel"):
        import_official.import_checkpoint(save(tmp_path / "a" / "m", missing), run, tiny.RESULTS)
    more = variables | {"base_model/conv2d_21/kernel": np.zeros((1, 1, 2, 2), np.float32)}
    with pytest.raises(UserError, match=r"no place[\s\S]*conv2d_21"):
        import_official.import_checkpoint(save(tmp_path / "b" / "m", more), run, tiny.RESULTS)


def test_a_truncated_checkpoint_is_refused(run, checkpoint):
    data = checkpoint.with_name(checkpoint.name + ".data-00000-of-00001")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    with pytest.raises(UserError, match="cannot be read"):
        import_official.import_checkpoint(checkpoint, run, tiny.RESULTS)


def test_a_wrong_path_and_a_wrong_run_are_named(run, checkpoint, capsys):
    with pytest.raises(UserError, match=r"model.ckpt-1.index[\s\S]*model.ckpt-225206"):
        import_official.import_checkpoint(checkpoint.with_name("model.ckpt-1"), run, tiny.RESULTS)
    words = ["--checkpoint", str(checkpoint), "--exhibit", "table_06", "--run", "run-seed1"]
    assert import_official.main(words) == 2
    assert "run-seed0" in capsys.readouterr().err


def supervised(variables: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """The same with a head as no loss has seen it: kernels and averages drawn, scales and shifts as initialized."""
    as_initialized = {"gamma": np.ones_like, "beta": np.zeros_like}
    return {
        name: torch.from_numpy(
            np.asarray(as_initialized.get(name.rsplit("/", 1)[-1], np.asarray)(value))
            if name.startswith("head_contrastive/")
            else np.asarray(value)
        )
        for name, value in variables.items()
        if "Momentum" not in name
    }


@pytest.fixture
def read_as(monkeypatch, case, tmp_path) -> Path:
    """Stands for a checkpoint of a supervised network, read without TensorFlow."""
    variables = supervised(official_variables(case[1]))
    monkeypatch.setattr(import_official, "read_checkpoint", lambda prefix: variables)
    return tmp_path / "supervised" / "model.ckpt-1"


def test_a_supervised_network_is_refused_as_a_pretraining(run, read_as):
    with pytest.raises(UserError, match="projection head of this checkpoint was never trained") as caught:
        import_official.import_checkpoint(read_as, run, tiny.RESULTS)
    assert "--parity" in caught.value.remedy and "supervised" in caught.value.found
    assert not run.folder(tiny.RESULTS).exists()


def test_with_parity_it_is_imported_without_its_head_and_says_so(run, read_as, case, tmp_path, capsys):
    parity = parity_file(tmp_path / "logits.npz", case[0])
    import_official.import_checkpoint(read_as, run, tiny.RESULTS, parity)
    assert "is not a contrastive pretraining" in capsys.readouterr().err
    saved = files.read_tensors(run.folder(tiny.RESULTS) / "weights.safetensors")
    assert {name.split(".")[0] for name in saved} == {"encoder", "classifier"}
    said = files.read_json(run.folder(tiny.RESULTS) / "run.json")["imported"]["parity"]
    assert "agree within" in said and "never trained" in said


def test_a_trained_head_is_told_from_one_as_initialized(case):
    untouched = supervised(official_variables(case[1]))
    assert not import_official.head_was_trained(untouched)
    for name in untouched:
        if name.startswith("head_contrastive/") and name.endswith(("/gamma", "/beta")):
            value = untouched[name].clone()
            value[0] += 1e-6
            assert import_official.head_was_trained({**untouched, name: value})
    without = {name: value for name, value in untouched.items() if not name.startswith("head_contrastive/")}
    assert import_official.head_was_trained(without)


EVALUATED = EXHIBIT.replace("[pretrain], grid", "[pretrain, linear_eval], grid")
SHA256 = {"model.ckpt-1.index": "a" * 64}


@pytest.fixture
def chain(project, read_as, case, tmp_path, monkeypatch):
    """A pretraining, its evaluation (both planned, neither made), and a function that imports published weights."""
    importlib.import_module("stages.linear_eval")
    tiny.declare_only(project, {"table_06": EVALUATED})
    plan = plans.resolve("table_06", "smoke")
    parity, given = parity_file(tmp_path / "logits.npz", case[0]), dict(SHA256)
    monkeypatch.setattr(import_official, "checksums", lambda prefix: dict(given))

    def bring_in(**digests: str) -> None:
        given.update(digests)
        import_official.import_checkpoint(read_as, plan.runs("pretrain")[0], tiny.RESULTS, parity)

    return plan.runs("pretrain")[0], plan.runs("linear_eval")[0], bring_in


def evaluate(run, top1: float) -> Path:
    """Seal an evaluation that reads the weights which lie here."""
    work = Job(run, tiny.RESULTS)
    work.upstream_tensors("encoder")
    work.finish({"top1": top1})
    return store.store_folder(tiny.RESULTS, run)


def train(run) -> Path:
    work = Job(run, tiny.RESULTS)
    work.save_weights(encoder=torch.nn.Linear(1, 1))
    work.finish({"loss": 1.0})
    return store.store_folder(tiny.RESULTS, run)


def test_a_finished_training_is_not_replaced_and_is_named(chain):
    trained, _, bring_in = chain
    folder = train(trained)
    before = files.read_json(folder / "run.json")
    with pytest.raises(UserError, match="a finished training of our own") as caught:
        bring_in()
    assert str(folder) in caught.value.remedy and files.read_json(folder / "run.json") == before


def test_an_import_removes_evaluations_of_other_weights_and_keeps_those_of_the_same(chain):
    trained, evaluated, bring_in = chain
    folder = train(trained)
    ours = evaluate(evaluated, 50.0)
    shutil.rmtree(folder)
    bring_in()
    assert not ours.exists()
    again = evaluate(evaluated, 60.0)
    assert files.read_json(again / "run.json")["upstream_imported"] == SHA256
    bring_in()
    assert store.is_finished(again, evaluated)
    bring_in(**{"model.ckpt-1.index": "b" * 64})
    assert not again.exists()
    for place in (folder, trained.folder(tiny.RESULTS)):
        digests = files.read_json(place / "run.json")["imported"]["sha256"]
        assert digests == {"model.ckpt-1.index": "b" * 64}


def test_nobody_trains_where_weights_were_imported_and_evaluated(chain):
    """The official number would pass for ours."""
    trained, evaluated, bring_in = chain
    bring_in()
    read = evaluate(evaluated, 60.0)
    (store.store_folder(tiny.RESULTS, trained) / "weights.safetensors").write_bytes(b"damaged")
    said = child._attempt(trained, tiny.RESULTS, lambda done, total: None)
    assert "published weights stood in the place of this training" in said and str(read) in said
    shutil.rmtree(read)
    origins.check_trainable(trained, tiny.RESULTS)
    read = train(trained)
    assert "upstream_imported" not in files.read_json(evaluate(evaluated, 50.0) / "run.json")


def test_evidence_of_an_evaluation_stands_for_the_weights_that_lie_here_alone(chain):
    trained, evaluated, bring_in = chain
    assert origins.fits({}, evaluated, tiny.RESULTS) and origins.fits({}, trained, tiny.RESULTS)
    bring_in()
    assert not origins.fits({}, evaluated, tiny.RESULTS)
    assert origins.fits({"upstream_imported": SHA256}, evaluated, tiny.RESULTS)
    shutil.rmtree(store.store_folder(tiny.RESULTS, trained))
    shutil.rmtree(trained.folder(tiny.RESULTS))
    train(trained)
    assert origins.fits({}, evaluated, tiny.RESULTS)
    assert not origins.fits({"upstream_imported": SHA256}, evaluated, tiny.RESULTS)


def test_an_import_beside_a_command_that_is_at_work_on_the_run_is_refused(chain):
    trained, _, bring_in = chain
    with store.locked(store.store_folder(tiny.RESULTS, trained)) as mine:
        assert mine
        with pytest.raises(UserError, match="another command is at work"):
            bring_in()


def test_what_another_process_moves_meanwhile_is_no_evaluation_and_no_error(chain, monkeypatch):
    trained, evaluated, bring_in = chain
    bring_in()
    read = evaluate(evaluated, 60.0)
    shutil.copytree(read, read.with_name(f".{read.name}.1-0123abcd.new.partial"))
    assert list(origins.evaluations(trained, tiny.RESULTS)) == [read]
    monkeypatch.setattr(origins.store, "peek", lambda folder: (folder / "gone").read_bytes())
    assert origins.evaluations(trained, tiny.RESULTS) == {}


LAYERS = EVALUATED.replace("depth}", "depth, layer: linear_eval/representation.layer}").replace(
    "grid: {}", "grid: {layer: [h, z]}"
)


def test_what_shows_z_of_a_checkpoint_without_a_head_is_left_out_and_said(
    project, case, tmp_path, monkeypatch, capsys
):
    """The published checkpoints of SimCLR have none."""
    importlib.import_module("stages.linear_eval")
    tiny.declare_only(project, {"table_06": LAYERS})
    plan = plans.resolve("table_06", "smoke")
    variables = {
        name: torch.from_numpy(np.asarray(value))
        for name, value in official_variables(case[1]).items()
        if not name.startswith("head_contrastive/") and "Momentum" not in name
    }
    monkeypatch.setattr(import_official, "read_checkpoint", lambda prefix: variables)
    monkeypatch.setattr(import_official, "checksums", lambda prefix: dict(SHA256))
    runs = {run.bindings["representation.layer"]: run for run in plan.runs("linear_eval")}
    assert not sweeps.lacking_data(runs.values(), tiny.RESULTS)
    import_official.import_checkpoint(tmp_path / "model.ckpt-1", plan.runs("pretrain")[0], tiny.RESULTS)
    assert "without a projection head" in capsys.readouterr().out
    lacking = sweeps.lacking_data(runs.values(), tiny.RESULTS)
    assert (
        lacking.keys() == {runs["z"].fingerprint} and "no projection head" in lacking[runs["z"].fingerprint]
    )
    Job(runs["h"], tiny.RESULTS).upstream_encoder()
    with pytest.raises(UserError, match="the weights of the upstream run have no head"):
        Job(runs["z"], tiny.RESULTS).upstream_head(512)
