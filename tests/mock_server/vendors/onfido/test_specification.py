"""The mock's answers fit Onfido's own OpenAPI specification, where a copy of it is at hand.

Onfido's repository states no licence for the specification, so this project has no copy. Set
``ONFIDO_OPENAPI`` to the path of ``generated/artifacts/openapi/openapi.json`` in a clone of
https://github.com/onfido/onfido-openapi-spec; the mock was written from commit 1498236.
"""

import json
import os
from pathlib import Path

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control_of
from kit.mock_didit_webhooks import carry
from kit.mock_onfido import (
    APPLICANTS,
    HOOK,
    NAME,
    RUNS,
    WEBHOOKS,
    ask,
    newest,
    on_its_applicant,
    on_newest,
    on_webhook,
    start,
)
from openapi_schema_validator import OAS30Validator

from facematch_mock_server.recognition.recognizer import Recognizer

#: Recorded answers of Onfido have null here, against the specification. The language is declared
#: nullable, but null is not among its values.
RECORDED_NULLS = frozenset({"output", "error", "customer_user_id", "delete_at", "language"})


@pytest.fixture(scope="module")
def specification():
    path = os.environ.get("ONFIDO_OPENAPI")
    if not path:
        pytest.skip("ONFIDO_OPENAPI does not name a copy of Onfido's OpenAPI specification")
    return json.loads(Path(path).read_text(encoding="utf-8"))


@pytest.fixture
def engine():
    return didit.new_engine(Recognizer(), vendor="onfido")


@pytest.fixture
def problems_of(specification):
    """Return a function that lists what is wrong with a body, by the name of its schema."""

    def list_problems(schema, body):
        document = {**schema, "components": specification["components"]}
        problems = []
        for error in OAS30Validator(document).iter_errors(body):
            place = [str(step) for step in error.absolute_path]
            is_known_null = error.instance is None and place[-1] in RECORDED_NULLS
            if not is_known_null:
                problems.append(f"{'.'.join(place)}: {error.message}")
        return problems

    return list_problems


@pytest.fixture
def fits(specification, problems_of):
    """Return a function that compares an answer with the one that the specification has."""

    def compare(answer, path, method):
        responses = specification["paths"][path][method]["responses"]
        described = responses.get(str(answer.status), responses["default"])
        if "content" not in described:
            assert answer.body == b""
            return
        schema = described["content"]["application/json"]["schema"]
        assert problems_of(schema, answer.json()) == []

    return compare


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/applicants", NAME),
        ("/applicants", {}),
        ("/webhooks", {"url": HOOK}),
        ("/webhooks", {"url": 1}),
        ("/workflow_runs", {}),
    ],
)
def test_answers_to_posts(engine, fits, path, body):
    fits(engine.handle(ask(f"/v3.6{path}", body)), path, "post")


@pytest.mark.parametrize("card", ["p1-again", "p2", "spoof", "no-face", None])
def test_runs_before_and_after_the_check(engine, fits, problems_of, card):
    engine.handle(ask(WEBHOOKS, {"url": HOOK}))
    fits(start(engine, tags=["a"]), "/workflow_runs", "post")
    if card is not None:
        control_of(engine).sessions.finish(newest(engine).id, card=card, document="p1")
    answer = on_newest()(engine)
    fits(answer, "/workflow_runs/{workflow_run_id}", "get")
    fits(engine.handle(ask(RUNS)), "/workflow_runs", "get")
    output = answer.json()["output"]
    if output is not None:
        breakdown = {"$ref": "#/components/schemas/facial_similarity_photo_breakdown"}
        assert problems_of(breakdown, output["selfie"]["breakdown"]) == []
        properties = {"$ref": "#/components/schemas/document_properties"}
        assert problems_of(properties, output["doc"]["properties"]) == []
    for _, letter, _ in carry(engine):
        payload = json.loads(letter.body)["payload"]
        # The specification requires two names of its own that no recorded event has.
        event = {"$ref": "#/components/schemas/webhook_event_payload_resource"}
        assert problems_of(event, payload["resource"]) == []
        named = {"$ref": "#/components/schemas/webhook_event_payload_object"}
        assert problems_of(named, payload["object"]) == []


def test_applicants_and_webhooks(engine, fits):
    start(engine)
    engine.handle(ask(WEBHOOKS, {"url": HOOK}))
    one = "/applicants/{applicant_id}"
    fits(on_its_applicant()(engine), one, "get")
    fits(on_its_applicant("", {"last_name": "B"}, method="PUT")(engine), one, "put")
    fits(engine.handle(ask(APPLICANTS)), "/applicants", "get")
    fits(on_its_applicant(method="DELETE")(engine), one, "delete")
    fits(on_its_applicant()(engine), one, "get")
    fits(on_its_applicant("/restore", {})(engine), f"{one}/restore", "post")
    fits(engine.handle(ask(WEBHOOKS)), "/webhooks", "get")
    fits(on_webhook()(engine), "/webhooks/{webhook_id}", "get")
    fits(on_webhook(method="DELETE")(engine), "/webhooks/{webhook_id}", "delete")


@pytest.mark.parametrize("token", ["nobody", None])
def test_refusals(engine, fits, token):
    fits(engine.handle(ask(APPLICANTS, token=token)), "/applicants", "get")
