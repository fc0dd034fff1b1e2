"""The official networks of the golden vectors, as a fixture."""

from types import SimpleNamespace

import pytest

from tests.simclr.official_weights import our_name, our_weights, round_momentum_as_tensorflow


@pytest.fixture(scope="session")
def official() -> SimpleNamespace:
    """our_name(official name), weights(case) -> {our name: tensor}, round_momentum(module)."""
    return SimpleNamespace(
        our_name=our_name, weights=our_weights, round_momentum=round_momentum_as_tensorflow
    )
