"""The engine: routing, marks, limits, faults and the journal."""

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control_request, didit_request, match_request

import facematch_core
from facematch_core.http import MOCK_HEADER
from facematch_mock_server.base.messages import Request
from facematch_mock_server.http.app import CLAIMS_HEADER
from facematch_mock_server.vendors import all_claims


@pytest.mark.parametrize(
    "sent",
    [
        match_request,
        lambda **more: didit_request("/v3/x/", **more),
        lambda **more: didit_request("/x", **more),
        lambda **more: control_request("clock", **more),
    ],
)
def test_every_response_has_the_version_and_claims_on_request(sent):
    engine = didit.new_engine()
    silent = engine.handle(sent())
    assert silent.header(MOCK_HEADER) == facematch_core.__version__
    assert silent.header(CLAIMS_HEADER) is None
    request = sent()
    asking = Request(
        method=request.method,
        target=request.target,
        headers=(*request.headers, (CLAIMS_HEADER.lower(), "1")),
        body=request.body,
    )
    response = engine.handle(asking)
    if request.is_control:
        assert response.claims == ()
    else:
        assert response.header(CLAIMS_HEADER) == ", ".join(response.claims)
        assert response.claims
    assert set(response.claims) <= {claim.id for claim in all_claims()}
