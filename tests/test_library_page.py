"""docs/library.md is executed as it stands, with nothing bound in gin."""

import re
from pathlib import Path

import gin

PAGE = Path(__file__).resolve().parents[1] / "docs" / "library.md"


def test_the_page_runs():
    gin.clear_config()
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.M | re.S)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert set(names["metrics"]) == {"loss", "contrastive_accuracy", "entropy", "lr"}
    assert names["scores"].shape == (64, 10)
    assert "fc.weight" not in names["network"].state_dict()
