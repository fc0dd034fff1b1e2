"""Few labels and transfer train next to nothing of their own: they evaluate what other exhibits have trained."""

import pytest

from stages.planning import plans

LENDERS = {
    "table_07": {"smoke": "table_06", "reduced": "table_06", "cifar10": "table_06", "paper": "table_06"},
    "table_08": {"smoke": "table_06", "reduced": "table_06", "cifar10": "table_06", "paper": "table_06"},
    "figure_b5": {"smoke": "figure_09", "reduced": "figure_09", "cifar10": "figure_09", "paper": "figure_b2"},
    "figure_b6": {"smoke": "figure_07", "reduced": "figure_07", "cifar10": "figure_07", "paper": "figure_07"},
}
CASES = [(name, scale, lender) for name, by_scale in LENDERS.items() for scale, lender in by_scale.items()]


def trained(exhibit: str, scale: str, stage: str = "pretrain") -> set[str]:
    return {run.fingerprint for run in plans.resolve(exhibit, scale).runs(stage)}


@pytest.mark.parametrize(("exhibit", "scale", "lender"), CASES)
def test_every_pretraining_is_another_exhibits(exhibit, scale, lender):
    assert trained(exhibit, scale) <= trained(lender, scale)


@pytest.mark.parametrize("scale", ["smoke", "reduced", "cifar10", "paper"])
def test_top_1_and_top_5_with_few_labels_are_of_the_same_runs(scale):
    assert trained("table_b4", scale, "finetune") == trained("table_07", scale, "finetune")


@pytest.mark.parametrize("scale", ["reduced", "cifar10", "paper"])
@pytest.mark.parametrize("exhibit", ["table_08", "table_b5"])
def test_the_supervised_network_of_a_transfer_is_the_longest_of_table_b3(exhibit, scale):
    """Its augmentation is that of SimCLR, its length the longest (Appendix B.8)."""
    own = [run for run in plans.resolve(exhibit, scale).runs("supervised") if run.dataset != "digits"]
    assert own and {run.fingerprint for run in own} <= trained("table_b3", scale, "supervised")


def test_from_scratch_with_all_labels_is_the_supervised_training_of_figure_7():
    """The paper prints one number for both: 77.8 for twice the width, 78.4 for four times."""
    assert trained("table_b2", "paper", "supervised") <= trained("figure_07", "paper", "supervised")


@pytest.mark.parametrize(("exhibit", "network"), [("table_08", (50, 4)), ("table_b5", (50, 1))])
def test_at_scale_paper_all_twelve_data_sets_are_declared(exhibit, network):
    plan = plans.resolve(exhibit, "paper")
    assert {
        (run.bindings["resnet.depth"], run.bindings["resnet.width"]) for run in plan.runs("pretrain")
    } == {network}
    for stage, methods in {"logistic": 2, "transfer": 3}.items():
        runs = plan.runs(stage)
        assert len(runs) == 12 * methods and len({run.dataset for run in runs}) == 12
    random = [run.bindings for run in plan.runs("transfer") if run.labels["method"] == "Random init"]
    assert {run["transfer_training.steps"] for run in random} == {40000}
    rates, decays = random[0]["transfer_grid.learning_rates"], random[0]["transfer_grid.weight_decays"]
    assert (len(rates), rates[0], rates[-1]) == (7, 0.001, 1.0)
    assert (len(decays), decays[0]) == (8, 1e-05) and decays[-1] == pytest.approx(10**-1.5)


@pytest.mark.parametrize("scale", ["smoke", "reduced", "cifar10"])
@pytest.mark.parametrize("exhibit", ["table_08", "table_b5"])
def test_below_scale_paper_nothing_must_be_obtained_by_hand(exhibit, scale):
    """At smoke nothing is downloaded either."""
    at_hand = {"cifar10_subset", "digits"} | (set() if scale == "smoke" else {"cifar10", "fashion_mnist"})
    assert set(plans.datasets_of([plans.resolve(exhibit, scale)])) <= at_hand
