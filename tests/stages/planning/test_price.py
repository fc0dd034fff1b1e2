"""The price of runs: what fits which GPU, how many processes a run gets, and what the command prints."""

import dataclasses
import functools

import pytest

from common.errors import UserError
from simclr import evaluation, probing
from stages import plan
from stages.planning import price
from stages.planning.network import network_of
from stages.planning.plans import all_plans
from stages.planning.price import GB, USABLE, hardware_named, memory_of, price_of, processes_of
from stages.planning.runs import Run
from stages.planning.work import Work
from tests.stages import tiny

LARGEST_BATCH = 32768  # of Figure B.2: 2.9 TB of activations, more than 4 nodes of 8 x 80 GB hold


@functools.cache
def runs_at(scale: str) -> tuple[Run, ...]:
    """The distinct runs of a scale."""
    every = [run for each in all_plans(scale) for runs in each.stages.values() for run in runs]
    return tuple({run.fingerprint: run for run in every}.values())


def test_every_run_of_paper_fits_four_nodes_but_those_of_the_largest_batch():
    hardware = hardware_named("H100-80GB")
    beyond = [run for run in runs_at("paper") if not price_of(run, hardware).fits]
    assert {(run.stage, run.bindings["Pretraining.batch_size"]) for run in beyond} == {
        ("pretrain", LARGEST_BATCH)
    }
    # Stated exception: these seven take eight nodes of 8 x 80 GB, or four of 8 x 141 GB.
    assert len(beyond) == 7
    assert all(price_of(run, hardware_named("H200-141GB")).fits for run in runs_at("paper"))
    twice = dataclasses.replace(hardware, nodes=8)
    assert all(price_of(run, twice).fits for run in beyond)
    assert {price_of(run, twice).gpus for run in beyond} == {64}


def test_every_run_of_cifar10_fits_one_gpu_and_which_fit_24_gb():
    large, small = (hardware_named(name) for name in ("H100-80GB", "RTX-4090-24GB"))
    prices = [(run, price_of(run, large)) for run in runs_at("cifar10")]
    assert all(each.fits and each.gpus == 1 for _, each in prices)
    beyond = [(run, each) for run, each in prices if not price_of(run, small).fits]
    assert beyond and all(each.memory > USABLE * 24 * GB for _, each in beyond)
    # A batch of 8192 pairs, and fine-tuning in float32; everything else fits.
    assert {run.stage for run, _ in beyond} <= {"pretrain", "finetune"} and len(beyond) < 0.1 * len(prices)


def test_processes_are_the_smallest_power_of_two_that_fits():
    hardware = hardware_named("H100-80GB")
    chosen = {run.bindings["Pretraining.batch_size"]: processes_of(run, hardware) for run in _resnet50()}
    assert chosen[256] == 1 and chosen[4096] == 8 and chosen[8192] == 16
    for run in _resnet50():
        processes = processes_of(run, hardware)
        if processes > 1:
            network, work = price.network_in(run), price.work_in(run)
            half = memory_of(work, network, price.precision_of(run), processes // 2)
            assert half > USABLE * hardware.memory * GB


def _resnet50() -> list[Run]:
    return [
        run
        for run in runs_at("paper")
        if run.stage == "pretrain"
        and run.bindings["resnet.depth"] == 50
        and run.bindings["resnet.width"] == 1
    ]


def test_what_is_declared_counts_and_changes_no_fingerprint(data):
    run = tiny.a_run("pretrain")
    more = tiny.a_run("pretrain", execution__processes=4)
    assert processes_of(more, hardware_named_here()) == 4 and processes_of(run, hardware_named_here()) == 1
    apart = price_of(
        tiny.a_run("pretrain", execution__processes=4, execution__nodes=2), hardware_named_here()
    )
    assert (apart.gpus, apart.nodes) == (4, 2)
    assert more.fingerprint == run.fingerprint


def hardware_named_here() -> price.Hardware:
    both = {"bfloat16": 1.0, "float32": 1.0, "float64": 1.0}
    return price.Hardware("here", 80, 8, 4, both, both)


def test_hours_are_operations_over_the_stated_rate(data):
    run = tiny.a_run("pretrain")
    found = price_of(run, hardware_named_here())
    assert found.gpu_hours == pytest.approx(price.cost_of(run).flops / 1e12 / 3600)
    assert found.hours == found.gpu_hours and found.storage == 4 * price.network_in(run).parameters


def test_more_processes_keep_less_each():
    network = network_of({"resnet.depth": 50}, 224)
    sizes = [memory_of(Work(batch=4096, views=2), network, "bfloat16", n) for n in (1, 2, 4, 8)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 359e9 and sizes[3] < 50e9


def test_a_frozen_encoder_takes_its_batch_in_parts_and_vectors_count():
    network = network_of({"resnet.depth": 50, "resnet.width": 4}, 224)
    small, large = (memory_of(Work(frozen_batch=n), network, "float32", 1) for n in (500, 4096))
    views = 3 * 224**2 * 4
    assert large - small == pytest.approx(3596 * views) and 20e9 < small < 30e9
    with_vectors = memory_of(Work(frozen_batch=500, vectors=1e6), network, "float32", 1)
    assert with_vectors - small == pytest.approx(1e6 * 4 * 8192)
    assert price.PART == evaluation.BATCH == probing.BATCH


def test_one_process_is_one_if_it_is_declared(data):
    large = {"resnet__depth": 50, "Pretraining__batch_size": 1024, "ViewPolicy__size": 224}
    small = dataclasses.replace(hardware_named_here(), memory=1)
    assert processes_of(tiny.a_run("pretrain", **large), small) > 1
    assert processes_of(tiny.a_run("pretrain", execution__processes=1, **large), small) == 1


def test_processes_divide_the_images_and_not_the_views(data):
    """Of 12 images 4 processes have 3 each, and 8 cannot share them, though they could share 24 views."""
    run = tiny.a_run("pretrain", resnet__depth=50, Pretraining__batch_size=12, ViewPolicy__size=224)
    assert processes_of(run, dataclasses.replace(hardware_named_here(), memory=0.01)) == 4


def test_unknown_hardware_gets_the_nearest_name():
    with pytest.raises(UserError, match="did you mean `H100-80GB`"):
        hardware_named("H100-80G")


def test_an_exhibit_is_priced_alone_and_nothing_is_written(project, capsys):
    assert plan.main(["--cost", "--exhibit", "table_08", "--scale", "paper"]) == 0
    out = capsys.readouterr().out
    assert "price of table_08 at paper on H100-80GB" in out and "the largest run: " in out
    assert "one GPU of 24 GB holds" in out and "stated and not measured" in out
    assert not (project / "params" / "plan").exists() and not (project / "results").exists()
