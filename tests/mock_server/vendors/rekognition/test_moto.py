"""The shape of answers beside those of moto, whose author is another one."""

import json

import jsonschema
import pytest
from kit.mock_rekognition import boto

from facematch_mock_server import card_sheet


def shape(value):
    """Names and types; numbers are one type, and of a list one element stands for all."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def answer(url):
    """One match and one other face, without what comes from HTTP."""
    cards = card_sheet()
    with boto(url) as client:
        told = client.compare_faces(
            SourceImage={"Bytes": cards["p1"].data},
            TargetImage={"Bytes": cards["two-faces"].data},
        )
    assert told.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    return told


def test_a_comparison_has_the_shape_of_motos(mock, moto):
    """But for the two fields that are always null, which moto fills and the mock leaves out."""
    ours, theirs = answer(mock.url), answer(moto)
    for name in ("SourceImageOrientationCorrection", "TargetImageOrientationCorrection"):
        del theirs[name]
    assert shape(ours) == shape(theirs)


@pytest.mark.parametrize("operation", ["CompareFaces", "DetectFaces"])
def test_every_field_is_one_of_the_models(client, operation):
    """Nothing stands in an answer that AWS's model does not have."""
    cards, model = card_sheet(), client.meta.service_model.operation_model(operation)
    bodies = []
    client.meta.events.register(
        f"after-call.rekognition.{operation}",
        lambda http_response, **_: bodies.append(json.loads(http_response.content)),
    )
    picture = {"Bytes": cards["two-faces"].data}
    if operation == "CompareFaces":
        client.compare_faces(SourceImage=picture, TargetImage=picture, SimilarityThreshold=50)
    else:
        client.detect_faces(Image=picture)
    jsonschema.validate(bodies[0], schema_of(model.output_shape))


def schema_of(model):
    """A shape of botocore as a JSON Schema that allows nothing else."""
    if model.type_name == "structure":
        members = {name: schema_of(one) for name, one in model.members.items()}
        return {"type": "object", "properties": members, "additionalProperties": False}
    if model.type_name == "list":
        return {"type": "array", "items": schema_of(model.member)}
    if model.type_name in ("float", "integer"):
        limits = {"min": "minimum", "max": "maximum"}
        found = {limits[name]: n for name, n in model.metadata.items() if name in limits}
        return {"type": "number", **found}
    return {"type": {"string": "string", "boolean": "boolean"}[model.type_name]}
