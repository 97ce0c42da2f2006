"""Answers and webhooks fit the vendors' own OpenAPI documents, where copies of them are at hand.

Set ``PERSONA_OPENAPI`` to the path of ``2025-12-08/openapi-bundled.json`` in a clone of
https://github.com/persona-id/persona-openapi (the mock was written from commit a1526b5), and
``ONFIDO_OPENAPI`` to that of ``generated/artifacts/openapi/openapi.json`` in a clone of
https://github.com/onfido/onfido-openapi-spec (commit 1498236), which states no licence.
"""

import datetime as dt
import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from kit.mock_webhooks import HOOK, carry
from kit.mock_world import ask, control_of, new_engine
from openapi_schema_validator import OAS30Validator
from vendors import onfido, persona

from facematch_core import SessionRecord
from facematch_core.backend import ReadRequest, StartRequest
from facematch_core.http import HttpReply
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_persona import PersonaBackend

#: Recorded answers of Onfido have null here, against the specification. The language is declared
#: nullable, but null is not among its values.
RECORDED_NULLS = frozenset(
    {"output", "error", "customer_user_id", "delete_at", "language", "issuing_country", "side"}
    | {"result", "sub_result", "form_uri", "redirect_uri"}
)


class Specification:
    """A vendor's OpenAPI document.

    Attributes:
        nulls: The fields that may be null whatever it says.
    """

    def __init__(self, variable, validator_class, nulls=frozenset()):
        path = os.environ.get(variable)
        if not path:
            pytest.skip(f"{variable} does not name a copy of the vendor's OpenAPI document")
        self.document = json.loads(Path(path).read_text(encoding="utf-8"))
        self.validator_class = validator_class
        self.nulls = nulls

    def check(self, schema, body):
        """Fail if a body does not fit a schema."""
        whole = {**schema, "components": self.document["components"]}
        for error in self.validator_class(whole).iter_errors(body):
            *_, name = error.absolute_path or [None]
            assert error.instance is None, error
            assert name in self.nulls, error

    def check_described(self, described, body):
        """Fail if a body does not fit the description of a request or a response."""
        while "$ref" in described:
            _, _, kind, name = described["$ref"].split("/")
            described = self.document["components"][kind][name]
        if "content" in described:
            self.check(described["content"]["application/json"]["schema"], json.loads(body))
        else:
            assert body == b""

    def check_answer(self, answer, path, method="get"):
        """Fail if an answer is not one that a path of the specification has."""
        responses = self.document["paths"][path][method]["responses"]
        described = responses.get(str(answer.status), responses.get("default"))
        self.check_described(described, answer.body)


# Onfido


@pytest.fixture
def onfido_document():
    return Specification("ONFIDO_OPENAPI", OAS30Validator, RECORDED_NULLS)


APPLICANT = "/applicants/{applicant_id}"
RUN = "/workflow_runs/{workflow_run_id}"
WEBHOOK = "/webhooks/{webhook_id}"
ONFIDO_STEPS = [
    ("/applicants", "post", onfido.ask(onfido.APPLICANTS, onfido.NAME)),
    ("/applicants", "post", onfido.ask(onfido.APPLICANTS, {})),
    ("/applicants", "get", onfido.ask(onfido.APPLICANTS, token="nobody")),
    ("/applicants", "get", onfido.ask(onfido.APPLICANTS, token=None)),
    ("/webhooks", "post", onfido.ask(onfido.WEBHOOKS, {"url": HOOK})),
    ("/webhooks", "post", onfido.ask(onfido.WEBHOOKS, {"url": 1})),
    ("/workflow_runs", "post", onfido.ask(onfido.RUNS, {})),
    ("/workflow_runs", "post", onfido.starting(tags=["a"])),
    (RUN, "get", onfido.on_newest()),
    (APPLICANT, "get", onfido.on_its_applicant()),
    (APPLICANT, "put", onfido.on_its_applicant("", {"last_name": "B"}, method="PUT")),
    ("/applicants", "get", onfido.ask(onfido.APPLICANTS)),
    (APPLICANT, "delete", onfido.on_its_applicant(method="DELETE")),
    (APPLICANT, "get", onfido.on_its_applicant()),
    (f"{APPLICANT}/restore", "post", onfido.on_its_applicant("/restore", {})),
    ("/webhooks", "get", onfido.ask(onfido.WEBHOOKS)),
    (WEBHOOK, "get", onfido.on_webhook()),
    (WEBHOOK, "delete", onfido.on_webhook(method="DELETE")),
]
CHECK_STEPS = [
    ("/applicants", "post", onfido.ask(onfido.APPLICANTS, onfido.NAME)),
    (
        "/sdk_token",
        "post",
        lambda engine: engine.handle(onfido.sdk_token(onfido.newest_applicant(engine))),
    ),
    ("/documents", "post", onfido.uploading("documents", side="front")),
    ("/documents", "post", onfido.uploading("documents", b"GIF89a")),
    ("/live_photos", "post", onfido.uploading("live_photos")),
    ("/live_photos", "post", onfido.uploading("live_photos", type="x")),
    ("/documents", "get", onfido.listing("documents")),
    ("/live_photos", "get", onfido.listing("live_photos")),
    ("/checks", "post", onfido.checking()),
    ("/checks", "post", onfido.checking("document", asynchronous=False)),
    ("/checks", "post", onfido.checking("document", "facial_similarity_photo", tags=["a"])),
    ("/checks", "get", onfido.listing("checks")),
    ("/reports", "get", onfido.listing_reports()),
]


def test_onfidos_checks_fit(onfido_document):
    engine = new_engine(Recognizer(), vendor="onfido")
    engine.handle(onfido.ask(onfido.WEBHOOKS, {"url": HOOK}))
    for path, method, step in CHECK_STEPS:
        onfido_document.check_answer(ask(engine, step), path, method)
    schema = {"$ref": "#/components/schemas/webhook_event_payload_object"}
    for _, letter, _ in carry(engine):
        onfido_document.check(schema, json.loads(letter.body)["payload"]["object"])


def test_onfidos_answers_fit(onfido_document):
    engine = new_engine(vendor="onfido")
    for path, method, step in ONFIDO_STEPS:
        onfido_document.check_answer(ask(engine, step), path, method)


@pytest.mark.parametrize("card", ["p1-again", "p2", "spoof", "no-face"])
def test_finished_runs_and_webhooks_of_onfido_fit(onfido_document, card):
    def check(name, body):
        onfido_document.check({"$ref": f"#/components/schemas/{name}"}, body)

    engine = new_engine(Recognizer(), vendor="onfido")
    engine.handle(onfido.ask(onfido.WEBHOOKS, {"url": HOOK}))
    onfido.start(engine)
    control_of(engine).sessions.finish(onfido.newest(engine).id, card=card, document="p1")
    answer = onfido.on_newest()(engine)
    onfido_document.check_answer(answer, RUN)
    onfido_document.check_answer(engine.handle(onfido.ask(onfido.RUNS)), "/workflow_runs")
    output = answer.json()["output"]
    check("facial_similarity_photo_breakdown", output["selfie"]["breakdown"])
    check("document_properties", output["doc"]["properties"])
    for _, letter, _ in carry(engine):
        payload = json.loads(letter.body)["payload"]
        check("webhook_event_payload_resource", payload["resource"])
        check("webhook_event_payload_object", payload["object"])


# Persona


@pytest.fixture
def persona_document():
    return Specification("PERSONA_OPENAPI", Draft202012Validator)


INQUIRY = "/inquiries/{inquiry-id}"
HOOKS = "/api/v1/webhooks"
NEW_HOOK = {"data": {"attributes": {"name": "a", "url": HOOK, "enabled-events": ["*"]}}}
VERBS = ["start", "complete", "fail", "approve", "decline", "mark_for_review", "expire"]
SIMULATED = ["create_passed_verification", "create_failed_verification"]
PERSONA_STEPS = [
    ("/inquiries", "post", persona.starting({"auto-create-one-time-link": True}, note="x")),
    ("/inquiries", "post", persona.starting(inquiry_template_id=None)),
    ("/inquiries", "post", persona.starting(key="wrong")),
    ("/inquiries", "get", persona.persona_request(persona.INQUIRIES)),
    (INQUIRY, "get", persona.about(1)),
    (INQUIRY, "get", persona.about(9)),
    ("/webhooks", "post", persona.persona_request(HOOKS, NEW_HOOK)),
    ("/webhooks/{webhook-id}/enable", "post", persona.changing_webhook("enable")),
    ("/webhooks/{webhook-id}/rotate-secret", "post", persona.changing_webhook("rotate-secret")),
]
for action in (
    "generate-one-time-link",
    "resume",
    "expire",
    "resume",
    "mark-for-review",
    "decline",
    "approve",
):
    PERSONA_STEPS.append((f"{INQUIRY}/{action}", "post", persona.about(1, f"/{action}", {})))
PERSONA_STEPS += [(INQUIRY, "delete", persona.about(1, method="DELETE"))] * 2


def test_personas_answers_fit(persona_document):
    engine = new_engine(vendor="persona")
    for path, method, step in PERSONA_STEPS:
        persona_document.check_answer(ask(engine, step), path, method)


def test_simulated_verifications_and_webhooks_of_persona_fit(persona_document):
    engine = new_engine(vendor="persona")
    control_of(engine).webhooks.add(HOOK)
    engine.handle(persona.starting(key=persona.SANDBOX))
    persona.simulating(1, SIMULATED[0], template="vtmpl_id")(engine)
    simulated = persona.simulating(1, *SIMULATED, *[f"{verb}_inquiry" for verb in VERBS])(engine)
    persona_document.check_answer(simulated, f"{INQUIRY}/perform-simulate-actions", "post")
    answer = persona.reading(1, key=persona.SANDBOX)(engine)
    persona_document.check_answer(answer, INQUIRY)
    for verification in answer.json()["included"]:
        kind = f"{verification['type'].removeprefix('verification/')}s"
        path = f"/verification/{kind}/{{verification-id}}"
        described = persona_document.document["paths"][path]["get"]["responses"]["200"]
        persona_document.check_described(described, json.dumps({"data": verification}))
    persona.about(1, method="DELETE", key=persona.SANDBOX)(engine)
    told = set()
    for _, letter, _ in carry(engine):
        name = json.loads(letter.body)["data"]["attributes"]["name"]
        described = persona_document.document["webhooks"][name]["post"]["requestBody"]
        persona_document.check_described(described, letter.body)
        told.add(name)
    assert len(told) == 11


def test_requests_of_personas_backend_fit(persona_document):
    record = SessionRecord(
        backend="persona",
        session_id="inq_1",
        subject_ref="customer-17",
        purpose="payout",
        expects=("liveness",),
        planned_at=dt.datetime(2026, 11, 28, tzinfo=dt.UTC),
    )
    backend = PersonaBackend(api_key="k", template_id=persona.TEMPLATE)
    start = next(backend.start_steps(StartRequest(record=record, return_url=HOOK)))
    steps = backend.read_steps(ReadRequest(record=record, with_access=True))
    next(steps)
    inquiry = {"id": "inq_1", "attributes": {"status": "created", "note": record.id}}
    link = steps.send(HttpReply(status=200, body=json.dumps({"data": inquiry}).encode()))
    paths = persona_document.document["paths"]
    for path, request in (("/inquiries", start), (f"{INQUIRY}/generate-one-time-link", link)):
        described = paths[path]["post"]["requestBody"]
        persona_document.check_described(described, json.dumps(request.json))
