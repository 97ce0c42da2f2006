"""The judge of `kit.definitions` notes what the mock answers against a vendor's own definition."""

import json
import re

import attrs
import pytest
from kit.definitions import documents, fetch, judge
from kit.definitions.definition import Definition, Operation
from kit.mock_webhooks import carry, listen
from kit.mock_world import control_of, new_engine
from kit.scenario import Scenario
from vendors import alibaba, azure, onfido, persona, regula, rekognition, stripe, tencent

from facematch_mock_server.recognition.recognizer import Recognizer

REQUESTS = {
    "alibaba": alibaba.compare_request,
    "azure": azure.detect_request,
    "onfido": lambda: onfido.ask(onfido.APPLICANTS, onfido.NAME),
    "persona": persona.starting,
    "regula": regula.match_request,
    "rekognition": rekognition.signed_compare,
    "stripe": stripe.starting,
    "tencent": tencent.compare_request,
}
NOT_HERE = "make schemas fetches the vendor's document"
#: The vendors of which some differences are explained.
SCENARIOS = {"azure": azure, "onfido": onfido, "regula": regula}


@pytest.fixture
def differences():
    """What the judge notes in this test, which therefore does not fail it."""
    yield judge.differences
    judge.differences.clear()


def rename(node, old):
    """Return JSON with another name for a field, at any depth."""
    if isinstance(node, list):
        return [rename(part, old) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        f"{name}Renamed" if name == old else name: rename(part, old) for name, part in node.items()
    }


@pytest.mark.parametrize("vendor", REQUESTS)
def test_a_renamed_field_is_noted(vendor, differences):
    if judge.definition_of(vendor) is None:
        pytest.skip(NOT_HERE)
    # Rekognition takes real pictures only.
    engine = new_engine(Recognizer() if vendor == "rekognition" else None, vendor=vendor)
    request = REQUESTS[vendor]()
    answer = engine.handle(request)
    assert answer.status in (200, 201)
    names = set()
    json.loads(answer.body, object_hook=names.update)
    if vendor == "persona":
        # The template names its fields.
        names.difference_update(answer.json()["data"]["attributes"]["fields"])
    assert names
    for name in names:
        body = json.dumps(rename(answer.json(), name)).encode()
        judge.judge_call(engine.world, request, attrs.evolve(answer, body=body))
        assert any(f"{name}Renamed: unknown" in line for line in differences), name
        differences.clear()


def test_a_value_that_is_not_documented_is_noted(differences):
    engine = new_engine(vendor="stripe")
    request = stripe.starting()
    answer = engine.handle(request)
    body = json.dumps(answer.json() | {"status": "open"}).encode()
    judge.judge_call(engine.world, request, attrs.evolve(answer, body=body))
    assert differences == [
        "stripe: POST /v1/identity/verification_sessions 200: .status: enum",
    ]


def test_a_webhook_is_judged(differences):
    engine = new_engine(vendor="stripe")
    engine.handle(listen())
    engine.handle(stripe.starting())
    control_of(engine).sessions.finish(stripe.nth(engine, 1))
    (_, letter, _), *_ = carry(engine)
    event = json.loads(letter.body)["type"]
    assert ("stripe", event, letter.body) in judge.sent_webhooks
    judge.judge_webhooks()
    assert differences == []
    body = json.dumps(rename(json.loads(letter.body), "livemode")).encode()
    judge.sent_webhooks["stripe", event, body] = True
    judge.judge_webhooks()
    assert f"stripe: webhook {event}: .livemode: missing" in differences


def alternatives_of(pattern):
    """Return patterns that together match the same, such as ``a`` and ``b`` for ``(a|b)``."""
    found = re.search(r"\(([\w|]+)\)", pattern)
    if found is None:
        return [pattern]
    patterns = []
    for word in found[1].split("|"):
        patterns += alternatives_of(pattern[: found.start()] + word + pattern[found.end() :])
    return patterns


#: Calls whose answers a row explains, beside those of claims/test_cited.py.
MORE_CALLS = {
    "onfido": (
        onfido.ask(
            onfido.APPLICANTS,
            onfido.NAME | dict.fromkeys(("address", "dob", "id_numbers", "location")),
        ),
    ),
}


@pytest.mark.parametrize("vendor", judge.explained())
def test_each_explained_difference_is_still_met(vendor, differences, monkeypatch):
    if judge.definition_of(vendor) is None:
        pytest.skip(NOT_HERE)
    met = set()

    def note(vendor, what, lines):
        met.update((what, line) for line in lines)

    monkeypatch.setattr(judge, "note", note)
    scenarios = SCENARIOS[vendor].scenarios()
    for scenario in [*scenarios, Scenario(vendor, MORE_CALLS.get(vendor, ()))]:
        scenario.play()
    judge.judge_webhooks()
    unmet = []
    for row in judge.explained()[vendor]:
        for what in alternatives_of(row["what"]):
            for line in alternatives_of(row["line"]):
                if not any(re.fullmatch(what, x) and re.fullmatch(line, y) for x, y in met):
                    unmet.append((what, line))
    assert unmet == []


MAIN = """
paths:
  /runs/{id}: {$ref: "./runs.yml#/paths/~1runs~1%7Bid%7D"}
"""
RUNS = """
paths:
  /runs/{id}:
    get:
      responses:
        200: {content: {application/json: {schema: {$ref: "#/components/schemas/Run"}}}}
        404: {$ref: "#/components/responses/Missing"}
components:
  responses: {Missing: {description: No run has this id.}}
  schemas:
    Run:
      allOf:
        - {$ref: "#/components/schemas/Named"}
        - type: object
          required: [status]
          properties:
            status: {type: string, enum: [open, closed]}
            owner: {nullable: true, type: object, properties: {age: {type: integer}}}
    Named: {type: object, properties: {name: {type: string}}}
"""


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ({"name": "a", "status": "open", "owner": {"age": 1}}, []),
        ({"status": "closed", "owner": None}, []),
        ({"status": "closed", "name": None}, [".name: null"]),
        ({"status": "ended"}, [".status: enum"]),
        ({"name": "a"}, [".status: missing"]),
        ({"status": "open", "owner": {"age": "1"}}, [".owner.age: type"]),
        (
            {"status": "open", "owner": {"Age": 1}, "Name": "a"},
            [".owner.Age: unknown"],
        ),
    ],
)
def test_a_document_of_several_files_judges(body, lines):
    files = {"main.yml": MAIN.encode(), "runs.yml": RUNS.encode()}
    definition = documents.read("regula", files)
    (operation,) = definition.operations
    assert definition.judge_answer(operation, 200, json.dumps(body).encode()) == lines
    assert definition.judge_answer(operation, 500, b"") == ["status 500"]


def applicants(*fields):
    applicant = {"properties": {name: {"type": "string"} for name in fields}}
    reference = {"$ref": "#/$defs/applicant"}
    answers = {"201": reference}
    return Definition(
        source="a document",
        operations=[
            Operation(method="POST", path="/applicants", answers=answers),
            Operation(
                method="POST", path="/watchlist_monitors", answers={"201": {"enum": [*fields]}}
            ),
        ],
        schemas={"applicant": applicant},
    )


def test_a_field_that_is_new_in_a_call_of_the_mock_is_told(capsys):
    lines = fetch.compare("onfido", applicants("id"), applicants("id", "nickname"))
    assert lines == ["+ applicant.nickname"]
    many = fetch.compare("onfido", applicants("id"), applicants(*map(str, range(30))))
    fetch.report("onfido", many)
    told = capsys.readouterr().out.splitlines()
    assert (len(told), told[-1]) == (21, "onfido: and 11 more lines")
