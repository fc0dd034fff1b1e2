"""What could not be trained is told by the plan, with the file and the line, and not after hours of pretraining."""

import pytest

from common import files
from common.errors import UserError
from stages.planning import fingerprint, plans
from stages.planning.code_hashes import ROOT
from stages.planning.searches import stages_with_runs
from stages.planning.work import Splits, work_of
from tests.stages import tiny

ONE = """\
knobs: {batch: %(key)s}
runs:
  - chain: [%(chain)s]
    grid: {batch: [%(value)s]}
measure: [%(measure)s]
seeds: [0]
"""


def refused(project, chain: str, key: str, value: object) -> str:
    measure = chain.split(", ")[-1] + ".top1"
    body = ONE % {"chain": chain, "key": key, "value": value, "measure": measure}
    tiny.declare_only(project, {"table_05": body})
    with pytest.raises(UserError) as caught:
        plans.resolve("table_05", "smoke")
    return str(caught.value)


@pytest.mark.parametrize(
    ("chain", "key", "value", "expected"),
    [
        ("pretrain", "Pretraining.batch_size", 4001, "at most 2,000 images to train on"),
        ("supervised", "supervised.batch_size", 2001, "at most 2,000 images to train on"),
        ("pretrain, linear_eval", "linear_eval/linear_evaluation.batch_size", 4001, "images to train on"),
        ("pretrain, transfer", "transfer/transfer_training.batch_size", 100000, "images to train on"),
        ("pretrain, finetune", "finetune/label_subset.fraction", 0.001, "one of each class at least"),
        ("pretrain, tsne", "tsne/chosen_images.classes", 11, "at most 10 classes"),
        ("pretrain, tsne", "tsne/embedding.perplexity", 1e6, "images to embed"),
        ("operators", "illustration.image", 4000, "images to show one of"),
        ("pretrain", "dataset.limit", 9, "at least 10, an image of each class"),
        ("pretrain", "BatchNorm.groups", 3, "a divisor of"),
        # Of images, and not of views: 256 views are 128 images.
        ("pretrain", "execution.processes", 256, "a divisor of 128\n"),
        ("supervised", "execution.processes", 3, "a divisor of 64\n"),
        ("pretrain, linear_eval", "linear_eval/execution.processes", 3, "a divisor of 256"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(project, chain, key, value, expected):
    text = refused(project, chain, key, value)
    assert key.rpartition("/")[2] in text and expected in text
    assert "params/exhibits/table_05.yaml, line 9" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [("cifar10_subse", "`cifar10_subse`"), ("\\x01cifar10_subset", "`'\\x01cifar10_subset'`")],
)
def test_a_data_set_that_is_not_declared_is_told_where_it_is_named(project, name, shown):
    text = refused(project, "pretrain", "dataset.name", f'"{name}"')
    assert shown in text and "did you mean `cifar10_subset`?" in text
    assert "params/exhibits/table_05.yaml, line 9" in text
    path = project / "params" / "recipes" / "pretrain_smoke.gin"
    path.write_text(path.read_text().replace("dataset.name = 'cifar10_subset'", f"dataset.name = '{name}'"))
    text = refused(project, "pretrain", "Pretraining.epochs", 1)
    assert shown in text and "params/recipes/pretrain_smoke.gin, line " in text


def test_what_the_recipe_binds_is_told_with_the_recipes_line(project, edit):
    path = project / "params" / "recipes" / "pretrain_smoke.gin"
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line.startswith("dataset.limit"))
    lines[number] = "dataset.limit = 100"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError) as caught:
        plans.resolve("table_05", "smoke")
    assert "Pretraining.batch_size does not fit" in str(caught.value)
    assert "at most 100 images to train on" in str(caught.value) and "pretrain_smoke.gin, line" in str(
        caught.value
    )


@pytest.mark.parametrize(
    "broken", [{"splits": {}}, {"validation": None}, {"classes": None}, {"splits": [1, 2]}]
)
def test_a_data_set_that_does_not_say_its_size_is_named(project, broken):
    path = project / "params" / "datasets.yaml"
    declared = files.read_yaml(path)
    files.write_yaml(path, {**declared, "cifar10_subset": declared["cifar10_subset"] | broken})
    fingerprint.declaration_of.cache_clear()
    with pytest.raises(UserError, match="the declaration of a data set is wrong") as caught:
        plans.resolve("table_05", "smoke")
    assert f"cifar10_subset.{next(iter(broken))}" in caught.value.where


def test_every_stage_says_what_it_costs():
    for stage in stages_with_runs():
        assert (
            "\ndef cost(bound: Bindings, images: Splits) -> Work:\n"
            in (ROOT / "stages" / f"{stage}.py").read_text()
        )


def test_a_stage_that_does_not_is_an_error_and_not_a_zero(tmp_path, monkeypatch):
    from stages.planning import code_hashes

    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "silent.py").write_text("def work(job): ...\n")
    monkeypatch.setattr(code_hashes, "ROOT", tmp_path)
    with pytest.raises(UserError, match="stage silent does not say what it costs"):
        work_of("silent", {}, Splits(1, 1, 1, 1, 1))
