"""The supervised baseline, end to end in one process."""

import torch

from common import files
from stages.data import datasets
from tests.stages import tiny


def test_it_trains_on_all_of_train_and_reads_test_once(data, monkeypatch):
    seen, load = [], datasets.load
    monkeypatch.setattr(datasets, "load", lambda f, split, **o: (seen.append(split), load(f, split, **o))[1])
    folder = tiny.work(tiny.a_run("supervised", supervised__epochs=6))
    assert seen == ["train+validation", "test"]
    metrics = files.read_json(folder / "metrics.json")
    assert metrics.keys() == {"top1", "top2", "top5", "params"} and metrics["top5"] == 100
    assert metrics["top1"] > 50, "a third would be chance"
    assert len((folder / "curve.csv").read_text().splitlines()) == 1 + 6


def test_encoder_and_head_are_saved_and_both_were_trained(data):
    one, two = (
        files.read_tensors(
            tiny.work(tiny.a_run("supervised", supervised__epochs=epochs)) / "weights.safetensors"
        )
        for epochs in (1, 2)
    )
    assert one.keys() == two.keys() and {name.split(".")[0] for name in one} == {"encoder", "head"}
    assert not [name for name in one if torch.equal(one[name], two[name])]


def test_equal_runs_have_equal_bytes_and_another_seed_has_others(data):
    first = tiny.listed(tiny.work(tiny.a_run("supervised")))
    torch.manual_seed(17)
    assert tiny.listed(tiny.work(tiny.a_run("supervised"))) == first
    assert tiny.listed(tiny.work(tiny.a_run("supervised", seed=1))) != first
