import numpy as np
import pytest

from simclr.declared import marks_of
from simclr.schedule import learning_rate, peak_learning_rate, total_steps, warmup_cosine, warmup_steps


@pytest.mark.parametrize("number", range(11))
def test_rates_agree_with_the_official_code(golden, number):
    arrays, cases = golden("lr_schedule")
    case = cases[number]
    n, batch, epochs = case["num_examples"], case["batch_size"], case["train_epochs"]
    peak = peak_learning_rate(case["base_lr"], batch, case["scaling"])
    warmup = warmup_steps(n, case["warmup_epochs"], batch)
    total = case["train_steps_flag"] or total_steps(n, epochs, batch)  # one case sets the length by hand
    assert (warmup, total) == (case["warmup_steps"], case["total_steps"])
    assert peak == pytest.approx(case["peak_lr"], rel=1e-12)
    steps = arrays[f"{case['case']}_step"].tolist()
    ours = np.array([warmup_cosine(step, peak, warmup, total) for step in steps])
    for source in ("tf1", "tf2"):  # float32, whose cosine is good to 1.2e-7 of the peak
        np.testing.assert_allclose(ours, arrays[f"{case['case']}_lr_{source}"], rtol=0, atol=2.4e-7 * peak)


@pytest.mark.parametrize("number", range(10))
def test_the_whole_function_agrees_too(golden, number):
    arrays, cases = golden("lr_schedule")
    case = cases[number]
    settings = {
        "base_lr": case["base_lr"],
        "batch_size": case["batch_size"],
        "n_examples": case["num_examples"],
        "epochs": case["train_epochs"],
        "warmup_epochs": case["warmup_epochs"],
        "scaling": case["scaling"],
    }
    steps, rates = (arrays[f"{case['case']}_{what}"][::17] for what in ("step", "lr_tf2"))
    ours = np.array([learning_rate(step, **settings) for step in steps.tolist()])
    np.testing.assert_allclose(ours, rates, rtol=0, atol=2.4e-7 * case["peak_lr"])


def test_papers_rates():
    """Linear and square root agree at batch size 4096 (Appendix B.1)."""
    assert peak_learning_rate(0.3, 4096) == pytest.approx(4.8)
    assert peak_learning_rate(0.075, 4096, "sqrt") == pytest.approx(4.8)


def test_starts_at_zero_peaks_after_the_warmup_and_ends_at_zero():
    rates = [warmup_cosine(step, 2.0, 4, 12) for step in range(14)]
    assert rates[:5] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert rates[8] == pytest.approx(1.0)
    assert rates[12:] == [0.0, 0.0]


def test_mistakes_are_errors():
    with pytest.raises(ValueError, match="cube"):
        peak_learning_rate(0.3, 256, "cube")
    with pytest.raises(ValueError, match="warmup_epochs 10 > epochs 5"):
        learning_rate(0, base_lr=0.3, batch_size=2, n_examples=8, epochs=5, warmup_epochs=10)


def test_a_warmup_may_take_the_whole_training():
    settings = {"base_lr": 0.3, "batch_size": 2, "n_examples": 8, "epochs": 5, "warmup_epochs": 5}
    assert learning_rate(10, **settings) == pytest.approx(0.3 * 2 / 256 / 2)
    assert learning_rate(21, **settings) == 0


@pytest.mark.parametrize("scaling", ["", "LINEAR", "linea", "linear ", "m", "sqr", "sqrt2", "zero"])
def test_a_scaling_is_known_by_its_name_alone(scaling):
    with pytest.raises(ValueError, match=f'must be "linear" or "sqrt", found {scaling!r}'):
        peak_learning_rate(0.3, 256, scaling)


@pytest.mark.parametrize(("scaling", "peak"), [("linear", 0.6), ("sqrt", 0.3 * 512**0.5)])
def test_a_scaling_may_be_a_word_that_was_read_from_a_file(scaling, peak):
    assert peak_learning_rate(0.3, 512, "".join(list(scaling))) == pytest.approx(peak)


def test_rates_and_warmups_of_zero_are_allowed_and_negative_ones_are_not():
    marks = {name: mark for name, (mark,) in marks_of(learning_rate).items()}
    for name in ("base_lr", "warmup_epochs"):
        assert marks[name].check(0) is None and marks[name].check(0.5) is None
        assert marks[name].check(-1e-9) is not None
    assert marks["scaling"].check("linear") is marks["scaling"].check("sqrt") is None
    assert marks["scaling"].check("cube") is not None
