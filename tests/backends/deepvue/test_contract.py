import pytest
from simulators.deepvue import DeepvueSimulator

from facematch_core.testing import BackendContract, Situation


class ScaledSimulator(DeepvueSimulator):
    """Asked with everything set. Silence is that of the other one, whatever is set."""

    situations = DeepvueSimulator.situations - {Situation.SLOW}

    def backend(self, **settings):
        everything = {
            "api_version": "v2",
            "confidence_scale": "percent",
            "confidence_meaning": "similarity",
            "liveness_score_scale": "percent",
        }
        return super().backend(**everything | settings)


@pytest.mark.slow
class TestContractWithEverySetting(BackendContract):
    @pytest.fixture
    def simulator(self):
        with ScaledSimulator() as simulator:
            yield simulator


@pytest.mark.slow
class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DeepvueSimulator() as simulator:
            yield simulator
