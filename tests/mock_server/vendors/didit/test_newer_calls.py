"""Calls of Didit's newer documents, and its community's SDK, which the mock names."""

import pytest
from kit.mock_world import json_request, new_engine, request_to

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server.recognition.recognizer import Recognizer

DESTINATION = "/v3/webhook/destinations/3c9f1b9e-5a0d-4a3e-8a52-0d9d4a0b7c11"


@pytest.mark.parametrize(
    "path",
    [
        "/v3/biometric-templates/",
        "/v3/biometric-templates/3c9f1b9e/",
        f"{DESTINATION}/deliveries/",
        f"{DESTINATION}/deliveries/7/resend/",
        "/v3/api-keys/",
        "/v3/travel-rule/wallet-addresses/import/",
    ],
)
def test_newer_call_is_named(path):
    engine = new_engine(Recognizer(), vendor="didit")
    answer = engine.handle(request_to(path, method="GET"))
    assert answer.status == 404
    assert "does not imitate" in (answer.header(HINT_HEADER.lower()) or "")


@pytest.mark.parametrize(
    ("agent", "switch", "is_told"),
    [
        ("didit-sdk-python/0.4.0", "null", True),
        ("didit-sdk-python/0.4.0", "list", False),
        ("didit-sdk-python/1.0.0", "null", False),
        (None, "null", False),
    ],
)
def test_sdk_that_refuses_null_is_told_of_the_switch(agent, switch, is_told):
    engine = new_engine(Recognizer(), vendor="didit", switches={"empty_blocks": switch})
    body = {"workflow_id": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10", "vendor_data": "customer"}
    started = engine.handle(json_request("/v3/session/", body, method="POST")).json()
    path = f"/v3/session/{started['session_id']}/decision/"
    headers = {} if agent is None else {"user_agent": agent}
    answer = engine.handle(json_request(path, method="GET", **headers))
    assert answer.status == 200
    assert ("empty_blocks=list" in (answer.header(HINT_HEADER.lower()) or "")) is is_told
