"""The mock's answers and webhooks fit Persona's own OpenAPI, where a copy of it is at hand.

Set ``PERSONA_OPENAPI`` to the path of ``2025-12-08/openapi-bundled.json`` in a clone of
https://github.com/persona-id/persona-openapi; the mock was written from commit a1526b5.
"""

import datetime as dt
import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from kit import mock_didit as didit
from kit.mock_didit import control_of
from kit.mock_didit_webhooks import HOOK, carry
from kit.mock_persona import (
    INQUIRIES,
    SANDBOX,
    TEMPLATE,
    about,
    changing_webhook,
    persona_request,
    reading,
    simulating,
    starting,
)

from facematch_core import SessionRecord
from facematch_core.backend import ReadRequest, StartRequest
from facematch_core.http import HttpReply
from facematch_persona import PersonaBackend

INQUIRY = "/inquiries/{inquiry-id}"
NEW_WEBHOOK = {"data": {"attributes": {"name": "a", "url": HOOK, "enabled-events": ["*"]}}}


@pytest.fixture(scope="module")
def specification():
    path = os.environ.get("PERSONA_OPENAPI")
    if not path:
        pytest.skip("PERSONA_OPENAPI does not name a copy of Persona's OpenAPI")
    return json.loads(Path(path).read_text(encoding="utf-8"))


@pytest.fixture
def engine():
    return didit.new_engine(vendor="persona")


def problems_of(specification, described, body):
    """Return what is wrong with a JSON body by its description: a response or a request."""
    while "$ref" in described:
        kind, name = described["$ref"].removeprefix("#/components/").split("/")
        described = specification["components"][kind][name]
    schema = described["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": specification["components"]})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


#: By the path and method of the specification: a step with such a request, of the inquiry that was
#: started last, and the status of its answer.
STEPS = [
    ("/inquiries", "post", starting({"auto-create-one-time-link": True}, note="x"), 201),
    ("/inquiries", "post", starting(inquiry_template_id=None), 400),
    ("/inquiries", "post", starting(key="wrong"), 401),
    ("/inquiries", "get", persona_request(INQUIRIES), 200),
    (f"{INQUIRY}/generate-one-time-link", "post", about(1, "/generate-one-time-link", {}), 200),
    (f"{INQUIRY}/resume", "post", about(1, "/resume", {}), 409),
    (f"{INQUIRY}/expire", "post", about(1, "/expire", {}), 200),
    (f"{INQUIRY}/resume", "post", about(1, "/resume", {}), 200),
    (f"{INQUIRY}/mark-for-review", "post", about(1, "/mark-for-review", {}), 200),
    (f"{INQUIRY}/decline", "post", about(1, "/decline", {}), 200),
    (f"{INQUIRY}/approve", "post", about(1, "/approve", {}), 200),
    (INQUIRY, "get", about(1), 200),
    (INQUIRY, "get", about(9), 404),
    (INQUIRY, "delete", about(1, method="DELETE"), 200),
    (INQUIRY, "delete", about(1, method="DELETE"), 409),
    ("/webhooks", "post", persona_request("/api/v1/webhooks", NEW_WEBHOOK), 201),
    ("/webhooks/{webhook-id}/enable", "post", changing_webhook("enable"), 200),
    ("/webhooks/{webhook-id}/rotate-secret", "post", changing_webhook("rotate-secret"), 200),
]


def test_answers_fit_the_specification(specification, engine):
    for path, method, step, status in STEPS:
        answer = step(engine) if callable(step) else engine.handle(step)
        assert answer.status == status, (path, method, answer.body)
        described = specification["paths"][path][method]["responses"][str(status)]
        assert problems_of(specification, described, answer.json()) == [], (path, method)


def test_simulated_verifications_fit_the_specification(specification, engine):
    engine.handle(starting(key=SANDBOX))
    simulating(1, "create_passed_verification", template="vtmpl_id")(engine)
    paths = specification["paths"]
    simulated = simulating(1, "start_inquiry", "create_failed_verification")(engine)
    action = paths[f"{INQUIRY}/perform-simulate-actions"]["post"]
    assert problems_of(specification, action["responses"]["200"], simulated.json()) == []
    body = reading(1, key=SANDBOX)(engine).json()
    assert problems_of(specification, paths[INQUIRY]["get"]["responses"]["200"], body) == []
    document, selfie = body["included"]
    for kind, verification in (("government-ids", document), ("selfies", selfie)):
        described = paths[f"/verification/{kind}/{{verification-id}}"]["get"]["responses"]["200"]
        assert problems_of(specification, described, {"data": verification}) == []


def test_requests_of_the_backend_fit_the_specification(specification):
    record = SessionRecord(
        backend="persona",
        session_id="inq_1",
        subject_ref="customer-17",
        purpose="payout",
        expects=("liveness",),
        planned_at=dt.datetime(2026, 11, 28, tzinfo=dt.UTC),
    )
    backend = PersonaBackend(api_key="k", template_id=TEMPLATE)
    start = next(backend.start_steps(StartRequest(record=record, return_url=HOOK)))
    steps = backend.read_steps(ReadRequest(record=record, with_access=True))
    next(steps)
    inquiry = {"id": "inq_1", "attributes": {"status": "created", "note": record.id}}
    link = steps.send(HttpReply(status=200, body=json.dumps({"data": inquiry}).encode()))
    paths = specification["paths"]
    for path, request in (("/inquiries", start), (f"{INQUIRY}/generate-one-time-link", link)):
        described = paths[path]["post"]["requestBody"]
        assert problems_of(specification, described, request.json) == [], path


def test_webhooks_fit_the_specification(specification, engine):
    control_of(engine).webhooks.add(HOOK)
    engine.handle(starting(key=SANDBOX))
    names = [f"{verb}_inquiry" for verb in ("start", "complete", "fail", "approve", "decline")]
    names += [f"{verb}_inquiry" for verb in ("mark_for_review", "expire")]
    simulating(1, "create_passed_verification", "create_failed_verification", *names)(engine)
    about(1, method="DELETE", key=SANDBOX)(engine)
    told = set()
    for _, letter, _ in carry(engine):
        event = json.loads(letter.body)
        name = event["data"]["attributes"]["name"]
        described = specification["webhooks"][name]["post"]["requestBody"]
        assert problems_of(specification, described, event) == [], name
        told.add(name)
    assert len(told) == 11


def test_body_that_breaks_the_specification_is_noticed(specification, engine):
    body = engine.handle(starting()).json()
    body["data"]["attributes"]["status"] = None
    described = specification["paths"]["/inquiries"]["post"]["responses"]["201"]
    assert problems_of(specification, described, body)
