"""What a run is bound to: what its stage shares, and over it what the run says itself."""

from reports.reading.planned import planned_bindings

PLAN = {
    "stages": {
        "pretrain": {
            "shared": {"Pretraining": {"epochs": 10, "loss": "nt_xent"}, "nt_xent": {"temperature": 0.1}},
            "runs": {
                "one-seed0": {"seed": 0, "labels": {"setting": "one"}},
                "two-seed1": {"seed": 1, "labels": {}, "Pretraining": {"epochs": 20}},
            },
        }
    }
}


def test_a_run_has_what_is_shared_and_its_own_before_that_but_neither_seed_nor_labels():
    shared = {"Pretraining.epochs": 10, "Pretraining.loss": "nt_xent", "nt_xent.temperature": 0.1}
    assert planned_bindings(PLAN) == {
        "pretrain/one-seed0": shared,
        "pretrain/two-seed1": shared | {"Pretraining.epochs": 20},
    }
