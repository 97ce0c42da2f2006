"""The OpenAPI documents of the mock: valid, complete, and typed as it answers."""

import jsonschema
import pytest
import requests
from openapi_spec_validator import validate

from facematch_mock_server import Fault, MockServer, card_sheet
from facematch_mock_server.vendors import vendor_named, vendor_names

VENDORS = sorted({*vendor_names()} - {"rekognition"})
FILES = {
    name: (f"{name}.png", card_sheet()[card].data)
    for name, card in (("user_image", "p2"), ("ref_image", "p1"))
}


@pytest.fixture(scope="module")
def mock():
    with MockServer(vendor=[*vendor_names()]) as mock:
        yield mock


@pytest.fixture(scope="module")
def documents(mock):
    listed = requests.get(f"{mock.url}/openapi.json", timeout=10).json()["documents"]
    return {name: requests.get(mock.url + path, timeout=10).json() for name, path in listed.items()}


def test_each_vendor_but_rekognition_has_a_document(documents):
    assert sorted(documents) == VENDORS


@pytest.mark.parametrize("name", VENDORS)
def test_a_document_is_valid_and_has_every_operation_with_a_sample(documents, name):
    document = documents[name]
    validate(document)
    operations = [(path, method) for path, each in document["paths"].items() for method in each]
    routes = vendor_named(name).behaviour.routes
    assert len(operations) == sum(len(route.answers) for route in routes)
    for path, method in operations:
        answers = document["paths"][path][method]["responses"]
        assert any(status < "300" for status in answers), (path, method)
        claims = [claim for answer in answers.values() for claim in answer["x-facematch-claims"]]
        assert {claim.partition(".")[0] for claim in claims} == {name}


def schema_of(documents, path, status, *, vendor="didit", method="post"):
    answer = documents[vendor]["paths"][path][method]["responses"][str(status)]
    return answer["content"]["application/json"]["schema"]


@pytest.mark.parametrize("form", [{}, {"save_api_request": "false", "rotate_image": "true"}])
def test_an_answer_fits_its_schema(mock, documents, form):
    key = {"x-api-key": mock.of("didit").live_key}
    path = "/v3/face-match/"
    good = requests.post(mock.url + path, headers=key, files=FILES, data=form, timeout=10)
    jsonschema.validate(good.json(), schema_of(documents, path, 200))
    body = {**good.json(), "face_match": {**good.json()["face_match"], "score": "97"}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, schema_of(documents, path, 200))
    refused = requests.post(mock.url + path, headers=key, data=form, timeout=10)
    jsonschema.validate(refused.json(), schema_of(documents, path, 400))


def test_a_fault_is_answered_as_its_schema_says(mock, documents):
    mock.of("azure").control.add_fault(Fault(stage="answer", kind="status", status=429))
    path = "/face/v1.2/verify"
    limited = requests.post(mock.url + path, json={}, timeout=10)
    schema = schema_of(documents, path, 429, vendor="azure")
    jsonschema.validate(limited.json(), schema)
    assert schema["required"] == ["error"]


def test_types_are_those_of_the_samples_and_unknown_ones_stay_open(documents):
    match = schema_of(documents, "/v3/face-match/", 200)["properties"]["face_match"]["properties"]
    assert match["score"] == {"type": ["null", "number"]}
    face = match["user_image"]["properties"]["entities"]["items"]["properties"]
    assert (face["race"], face["age"]) == ({}, {"type": "number"})
    operation = documents["didit"]["paths"]["/v3/face-match/"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["user_image", "ref_image"]
    assert form["properties"]["user_image"] == {"type": "string", "format": "binary"}
    assert form["properties"]["metadata"] == {}
    # Lack of credit is told from a bad key by the name of its field.
    refused = schema_of(documents, "/v3/face-match/", 403)
    assert (sorted(refused["properties"]), refused["required"]) == (["detail", "error"], [])


def test_a_document_follows_the_switches():
    switches = {"bad_token": 401, "no_face": 200}
    with MockServer(vendor="deepvue", switches=switches) as mock:
        document = requests.get(f"{mock.url}/openapi/deepvue.json", timeout=10).json()
        body = document["paths"]["/v1/facematch"]["post"]["responses"]["200"]["content"]
        data = body["application/json"]["schema"]["properties"]["data"]
        assert data["type"] == ["null", "object"]
        # Making it has asked a world of its own.
        assert mock.control.charges() == mock.control.journal() == ()
