"""What the tests of the agent share."""

import pytest


@pytest.fixture(params=["positions", "published"])
def actions(request: pytest.FixtureRequest) -> str:
    """Both sets of actions."""
    return request.param
