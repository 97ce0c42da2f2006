"""`MockSimulator`: a mock vendor in the vendor's place, for the contract tests of a plug-in.

Needs pytest, as `facematch_core.testing` does.
"""

from facematch_mock_server.conformance.sessions import MockSessions
from facematch_mock_server.conformance.simulator import MockSimulator

__all__ = ["MockSessions", "MockSimulator"]
