"""Whatever a vendor answers is what the OpenAPI document of the server says of it."""

import functools
import json
import re

import jsonschema
import pytest

from facematch_mock_server.http.forms import MULTIPART, URLENCODED, media_type, read_form

# It is the document that is looked at, by schemas that are slow to read.
pytestmark = pytest.mark.long

#: What no table has: a page of a framework, and a claim whose words are filled in for one call.
NOT_TOLD = {("didit_auth_v2_programmatic_register", "500"), ("didit_pay_checkout_post", "409")}


@functools.cache
def expression(pattern):
    """What a path with names in braces stands for."""
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern)))


def described(document, sent):
    """The operation of a request, with all that may be answered; None for no operation."""
    # The first vendor's control API has a second name.
    path = sent.path.replace(f"/__mock__/{document['tags'][0]['name']}/", "/__mock__/")
    if path in document["paths"]:
        return document["paths"][path].get(sent.method.lower())
    for pattern, item in document["paths"].items():
        if expression(pattern).fullmatch(path):
            return item.get(sent.method.lower())
    return None


@pytest.fixture(scope="session")
def told(calls):
    """The calls of operations that are described: (document, operation, request, answer)."""
    found = [
        (document, described(document, sent), sent, answer)
        for document, seen in calls
        for sent, answer in seen
    ]
    return [one for one in found if one[1] is not None]


def test_every_operation_of_the_suite_is_described(calls):
    """What is not described is another path, or another method of it."""
    others = {
        (sent.method, sent.path)
        for document, seen in calls
        for sent, answer in seen
        if described(document, sent) is None
        # Neither is a route: they have no table.
        and not sent.path.startswith(("/__media__/", "/system/healthcheck"))
        and answer.status in (200, 201, 204)
    }
    assert others == {("OPTIONS", "/v3/face-match/")}


def test_every_status_is_described(told):
    """With its content type; and what a body of JSON is."""
    missing = set()
    for document, operation, _, answer in told:
        name, status = operation["operationId"], str(answer.status)
        if status not in operation["responses"]:
            # What follows the document says by Accept and Content-Type what it describes.
            if status not in ("406", "415"):
                missing.add((name, status))
            continue
        content = operation["responses"][status].get("content", {})
        kind = (answer.header("Content-Type") or "").partition(";")[0]
        if answer.status >= 400 and kind != "application/json":
            # Nothing, or a page of the framework: no operation tells it.
            continue
        assert bool(content) == bool(answer.body), name
        assert not answer.body or kind in content, (name, status)
        if kind == "application/json":
            schema = {**content[kind]["schema"], "components": document["components"]}
            jsonschema.validate(answer.json(), schema)
    assert missing == NOT_TOLD


def test_what_is_taken_has_all_that_is_required(told):
    """A call that is answered well has the fields that the document requires, and no others."""
    names = set()
    for _, operation, sent, answer in told:
        if not 200 <= answer.status < 300 or "requestBody" not in operation:
            continue
        body = operation["requestBody"]
        kind = media_type(sent.header("content-type") or "")
        if not sent.body:
            assert not body["required"] or sent.path.startswith("/__mock__/")
            continue
        if set(body["content"]) == {"application/octet-stream"}:
            # The bytes themselves: there are no fields.
            assert kind in body["content"]
            continue
        # A vendor takes more types than it names.
        schema = body["content"].get(kind, next(iter(body["content"].values())))["schema"]
        if kind in (MULTIPART, URLENCODED):
            form = read_form(sent.header("content-type"), sent.body, digest=None)
            there = {**form.fields, **form.files}
        else:
            there = json.loads(sent.body)
        assert set(schema.get("required", ())) <= set(there), operation["operationId"]
        names |= {(operation["operationId"], one) for one in set(there) - set(schema["properties"])}
    assert names == {("didit_face_match", "unheard_of")}


def test_whoever_shows_nothing_is_refused_where_that_is_described(told):
    """An operation that names a header is answered well only to whoever shows it."""
    for document, operation, sent, answer in told:
        if 200 <= answer.status < 300 and not sent.path.startswith("/__mock__/"):
            for name in operation["security"][0] if operation["security"] else ():
                assert sent.header(name), operation["operationId"]
                assert name in document["components"]["securitySchemes"]
