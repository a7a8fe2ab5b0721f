"""What the tests of the agent share."""

import pytest

from dualwindow_agent.learning.training import leave_tensorflow_out

leave_tensorflow_out()  # before a test file imports stable-baselines3


@pytest.fixture(params=["positions", "published"])
def actions(request: pytest.FixtureRequest) -> str:
    """Both sets of actions."""
    return request.param
