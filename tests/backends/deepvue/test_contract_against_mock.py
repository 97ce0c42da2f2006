"""The backend `deepvue` keeps the contract of every plug-in with the mock server for its vendor.

The mock is no script made for the contract: it decides by pictures and keeps its own ledger. The
settings as they are by default are those of the backend's card, and tested with it.
"""

import pytest

from facematch_core.testing import BackendContract, Situation
from facematch_mock_server.vendors.deepvue.simulator import DeepvueSimulator


class ScaledSimulator(DeepvueSimulator):
    """Asked with everything set. Silence is that of the card, whatever is set."""

    situations = DeepvueSimulator.situations - {Situation.SLOW}

    def backend(self, **settings):
        everything = {
            "api_version": "v2",
            "confidence_scale": "percent",
            "confidence_meaning": "similarity",
            "liveness_score_scale": "percent",
        }
        return super().backend(**everything | settings)


class TestContractWithEverySetting(BackendContract):
    """v2, with scales and meaning set: a liveness check has scores, too."""

    @pytest.fixture
    def simulator(self):
        with ScaledSimulator() as simulator:
            yield simulator
