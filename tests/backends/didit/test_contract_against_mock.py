"""The backend `didit` keeps the contract of every plug-in with the mock server for its vendor.

The mock is no script made for the contract: it decides by pictures and keeps its own ledger. Its
edition of July 2026 is that of the backend's card, and tested with it.
"""

import pytest

from facematch_core.testing import BackendContract, Situation
from facematch_mock_server.vendors.didit.simulator import DiditSimulator


class NovemberSimulator(DiditSimulator):
    """Other refusals of a key, and another form of search. Its silence is no other."""

    edition = "2026-11"
    situations = DiditSimulator.situations - {Situation.SLOW}


@pytest.mark.long
class TestContractInNovember(BackendContract):
    """With the newest documents."""

    @pytest.fixture
    def simulator(self):
        with NovemberSimulator() as simulator:
            yield simulator
