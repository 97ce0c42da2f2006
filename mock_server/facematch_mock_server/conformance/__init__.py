"""The mock in a vendor's place, for the contract tests: the entry points ``facematch.simulators``.

A mock vendor of another distribution gets its simulator from `MockSimulator`. They need pytest, as
all of `facematch_core.testing` does.
"""

from facematch_mock_server.conformance.simulator import MockSimulator
from facematch_mock_server.conformance.vendors import (
    AzureSimulator,
    ComprefaceSimulator,
    DeepvueSimulator,
    DiditSimulator,
    RekognitionSimulator,
)

__all__ = [
    "AzureSimulator",
    "ComprefaceSimulator",
    "DeepvueSimulator",
    "DiditSimulator",
    "MockSimulator",
    "RekognitionSimulator",
]
