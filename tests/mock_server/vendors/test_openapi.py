"""The OpenAPI documents of the mock: valid, complete, and typed as it answers."""

import jsonschema
import pytest
import requests

from facematch_mock_server import Fault, MockServer, card_sheet
from facematch_mock_server.vendors import vendor_named, vendor_names

VENDORS = ["azure", "compreface", "deepvue"]
FILES = {
    name: (f"{name}.png", card_sheet()[card].data)
    for name, card in (("source_image", "p2"), ("target_image", "p1"))
}
COMPARE = "/api/v1/verification/verify"


@pytest.fixture(scope="module")
def mock():
    with MockServer(vendor=vendor_names()) as mock:
        yield mock


@pytest.fixture(scope="module")
def documents(mock):
    listed = requests.get(f"{mock.url}/openapi.json", timeout=10).json()["documents"]
    return {name: requests.get(mock.url + path, timeout=10).json() for name, path in listed.items()}


def test_vendors_that_publish_no_openapi_document_have_one_here(documents):
    assert sorted(documents) == VENDORS


def schema_of(documents, path, status, *, vendor):
    answer = documents[vendor]["paths"][path]["post"]["responses"][str(status)]
    return answer["content"]["application/json"]["schema"]


#: Azure's document is long, and made as the others.
AZURE = pytest.param("azure", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [AZURE, "compreface", "deepvue"])
def test_openapi_document_is_valid_and_covers_every_operation(documents, name):
    from openapi_spec_validator import validate  # not above: a third of a second of each worker

    document = documents[name]
    validate(document)
    operations = [(path, method) for path, each in document["paths"].items() for method in each]
    routes = vendor_named(name).behaviour.routes
    assert len(operations) == sum(len(route.handlers) for route in routes)
    for path, method in operations:
        answers = document["paths"][path][method]["responses"]
        assert any(status < "300" for status in answers), (path, method)


def _in_header(name):
    return {"type": "apiKey", "in": "header", "name": name}


BEARER = {"type": "http", "scheme": "bearer"}
#: An operation's keys, the names in its query, and its required fields.
COMPARISONS = [
    (
        "/face/v1.2/verify",
        {"ocp-apim-subscription-key": _in_header("ocp-apim-subscription-key")},
        set(),
        ["faceId1", "faceId2"],
    ),
    (
        "/face/v1.2/detectLiveness-sessions",
        {"ocp-apim-subscription-key": _in_header("ocp-apim-subscription-key")},
        set(),
        ["livenessOperationMode", "deviceCorrelationId"],
    ),
    (
        COMPARE,
        {"x-api-key": _in_header("x-api-key")},
        {"face_plugins", "status", "limit", "det_prob_threshold"},
        ["source_image", "target_image"],
    ),
    (
        "/v1/facematch",
        {"authorization": BEARER, "x-api-key": _in_header("x-api-key")},
        set(),
        ["file_a", "file_b"],
    ),
]


@pytest.mark.parametrize(("path", "keys", "query", "fields"), COMPARISONS)
def test_operation_names_its_keys_its_query_and_its_required_fields(
    documents, path, keys, query, fields
):
    (document,) = (each for each in documents.values() if path in each["paths"])
    schemes = document["components"]["securitySchemes"]
    operation = document["paths"][path]["post"]
    (security,) = operation["security"]
    assert {name: schemes[name] for name in security} == keys
    assert {each["name"] for each in operation["parameters"] if each["in"] == "query"} == query
    (content,) = operation["requestBody"]["content"].values()
    assert content["schema"]["required"] == fields


@pytest.mark.parametrize(
    ("vendor", "path", "statuses"),
    [
        ("azure", "/face/v1.2/verify", {200, 400, 401, 403, 404, 429, 500, 503}),
        ("compreface", COMPARE, {200, 400, 404, 500, 503}),
        ("deepvue", "/v1/facematch", {200, 400, 401, 402, 403, 404, 422, 429, 500, 503}),
    ],
)
def test_operation_lists_the_statuses_that_the_vendor_has_words_for(
    documents, vendor, path, statuses
):
    assert {*map(int, documents[vendor]["paths"][path]["post"]["responses"])} == statuses


def test_every_operation_names_known_keys_or_needs_none_and_the_id_in_its_path(documents):
    without_keys = set()
    for document in documents.values():
        schemes = document["components"]["securitySchemes"]
        for path, operations in document["paths"].items():
            for operation in operations.values():
                names = {name for security in operation["security"] for name in security}
                assert names <= set(schemes)
                in_path = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
                assert in_path == (["id"] if "{id}" in path else [])
                if not names:
                    without_keys.add(path)
    assert without_keys == {"/v1/authorize"}


@pytest.mark.parametrize("query", ["", "?limit=1"])
def test_response_validates_against_its_schema(mock, documents, query):
    key = {"x-api-key": mock.of("compreface").live_key}
    good = requests.post(mock.url + COMPARE + query, headers=key, files=FILES, timeout=10)
    schema = schema_of(documents, COMPARE, 200, vendor="compreface")
    jsonschema.validate(good.json(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**good.json(), "result": "97"}, schema)


def test_fault_response_validates_against_its_schema(mock, documents):
    mock.of("azure").control.add_fault(Fault(stage="answer", kind="status", status=429))
    path = "/face/v1.2/verify"
    limited = requests.post(mock.url + path, json={}, timeout=10)
    schema = schema_of(documents, path, 429, vendor="azure")
    jsonschema.validate(limited.json(), schema)
    assert schema["required"] == ["error"]
