import json
import logging

import jsonschema
import pytest
from vendors.rekognition import boto

from facematch_mock_server import MockServer


@pytest.fixture
def mock():
    with MockServer(vendor="rekognition", seed=7) as server:
        yield server


def schema_of(shape):
    """A shape of botocore as a JSON Schema that allows nothing else."""
    if shape.type_name == "structure":
        members = {name: schema_of(member) for name, member in shape.members.items()}
        limits = {"required": list(shape.required_members), "additionalProperties": False}
        return {"type": "object", "properties": members, **limits}
    if shape.type_name == "list":
        bounds = {"maxItems": shape.metadata["max"]} if "max" in shape.metadata else {}
        return {"type": "array", "items": schema_of(shape.member), **bounds}
    numbers = dict.fromkeys(("float", "integer", "long", "timestamp"), "number")
    kind = {**numbers, "blob": "string"}
    words = {"min": "minimum", "max": "maximum", "enum": "enum"}
    if shape.type_name == "string":
        words |= {"min": "minLength", "max": "maxLength"}
    limits = {words[name]: value for name, value in shape.metadata.items() if name in words}
    return {"type": kind.get(shape.type_name, shape.type_name), **limits}


def check(http_response, model, **_):
    if http_response.status_code == 200:
        schema = schema_of(model.output_shape)
        jsonschema.Draft202012Validator(schema).validate(json.loads(http_response.content))


@pytest.fixture
def client(mock):
    """A client that holds each answer against its own model."""
    with boto(mock.url) as client:
        client.meta.events.register("after-call.rekognition", check)
        yield client


@pytest.fixture(scope="session")
def moto():
    from moto.server import ThreadedMotoServer  # not above: a second of a start

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
