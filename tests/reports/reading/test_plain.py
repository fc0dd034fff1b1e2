import pytest

from reports.reading.plain import json_text


def test_json_keeps_its_order_rounds_floats_and_refuses_nan():
    assert json_text({"b": 0.1 + 0.2, "a": [1, None]}) == '{\n "b": 0.3,\n "a": [\n  1,\n  null\n ]\n}\n'
    with pytest.raises(ValueError):
        json_text({"a": float("nan")})
