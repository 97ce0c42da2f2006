"""The engine: routing, marks, limits, faults and the journal."""

import pytest
from kit.mock_world import new_engine, request_to

import facematch_core
from facematch_core.http import MOCK_HEADER
from facematch_mock_server.http.app import CLAIMS_HEADER


@pytest.mark.parametrize("path", ["/v3/face-match/", "/v3/x/", "/x", "/__mock__/clock"])
def test_every_response_has_the_version_and_claims_on_request(path):
    engine = new_engine()
    silent = engine.handle(request_to(path))
    assert silent.header(MOCK_HEADER) == facematch_core.__version__
    assert silent.header(CLAIMS_HEADER) is None
    response = engine.handle(request_to(path, x_facematch_claims="1"))
    if path == "/__mock__/clock":
        assert response.claims == ()
    else:
        assert response.claims
        assert response.header(CLAIMS_HEADER) == ", ".join(response.claims)
