"""Results in web frameworks and pydantic models: their JSON form or an error, never half of it."""

import asyncio
import json

import httpx
import jsonschema
import pydantic
import pytest
from kit.fakes import liveness_result, match_result
from kit.sessions import Acme
from openapi_spec_validator import validate

import facematch_core as fm

MATCH = match_result(metadata={"shop": 7})
LIVENESS = liveness_result()
LIVE_MATCH = fm.LiveMatchResult.of(LIVENESS, MATCH)


def get(app, path):
    """The response of an application of ASGI."""

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
            return await client.get(path)

    return asyncio.run(ask())


def session_documents():
    """The record of a session, and its result."""
    sessions = fm.Sessions(fm.FaceVerifier(Acme()), compared_with="document")
    record = sessions.start(sessions.plan("c-1", purpose="payout")).record
    return record, sessions.read(record)


DOCUMENTS = [MATCH, LIVENESS, LIVE_MATCH]
DOCUMENTS += session_documents()


def kind_of(document):
    return document.kind


def add_route(app, document, declared_by):
    """Let an application answer with a document, whose class it knows in one of two ways."""

    def handler():
        return document

    if declared_by == "annotation":
        handler.__annotations__["return"] = type(document)
        app.get(f"/{document.kind}")(handler)
    else:
        app.get(f"/{document.kind}", response_model=type(document))(handler)


def new_app():
    # Takes half a second, which only these tests pay.
    from fastapi import FastAPI

    return FastAPI()


def app_declared_by(declared_by):
    app = new_app()
    for document in DOCUMENTS:
        add_route(app, document, declared_by)
    return app


@pytest.fixture(scope="module")
def described():
    """The description of an application that answers with each document."""
    return get(app_declared_by("annotation"), "/openapi.json").json()


def test_fastapis_description_is_valid_and_either_way_the_same(described):
    validate(described)
    assert get(app_declared_by("response_model"), "/openapi.json").json() == described


@pytest.mark.parametrize("document", DOCUMENTS, ids=kind_of)
@pytest.mark.parametrize("declared_by", ["annotation", "response_model"])
def test_fastapi_answers_and_describes_the_json_form(document, declared_by, described):
    app = new_app()
    add_route(app, document, declared_by)
    path = f"/{document.kind}"
    assert get(app, path).json() == json.loads(json.dumps(document.to_dict()))
    answer = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    name = type(document).__name__
    assert answer["schema"] == {"$ref": f"#/components/schemas/{name}"}
    schema = jsonschema.Draft202012Validator(described["components"]["schemas"][name])
    schema.validate(document.to_dict())
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(document.to_dict() | {"kind": "other"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=kind_of)
def test_frameworks_refuse_a_result_without_its_type(document):
    from django.http import JsonResponse
    from flask import Flask, jsonify

    app = new_app()
    app.get("/")(lambda: document)
    with pytest.raises(ValueError, match="not iterable"):
        get(app, "/")
    with Flask("shop").app_context(), pytest.raises(TypeError):
        jsonify(document)
    with pytest.raises(TypeError):
        JsonResponse({"result": document})


@pytest.mark.parametrize("document", DOCUMENTS, ids=kind_of)
def test_document_is_a_field_of_a_pydantic_model(document):
    model = pydantic.create_model("Case", result=(type(document), ...))
    case = model(result=document)
    assert case.result is document
    assert case.model_dump()["result"] == document.to_dict()
    assert model.model_validate(case.model_dump()) == case
    assert model.model_validate_json(case.model_dump_json()).result == document
    jsonschema.validate(case.model_dump(mode="json"), model.model_json_schema())


def test_pydantic_refuses_a_document_of_another_kind_or_class():
    model = pydantic.create_model("Case", result=(fm.MatchResult, ...))
    for wrong in (LIVENESS, LIVENESS.to_dict(), {**MATCH.to_dict(), "decision": 7}, None):
        with pytest.raises(pydantic.ValidationError):
            model(result=wrong)
    either = pydantic.TypeAdapter(fm.MatchResult | fm.LivenessResult)
    for document in (MATCH, LIVENESS):
        assert either.validate_python(document.to_dict()) == document
        assert either.dump_python(document) == document.to_dict()


def test_notebook_shows_the_text_of_a_result_and_no_markup_of_a_plug_in():
    assert match_result()._repr_html_() == "<pre>match</pre>"
    markup = match_result(score=fm.Score(50, "<b>acme</b>"))._repr_html_()
    assert markup == "<pre>match 50 (&lt;b&gt;acme&lt;/b&gt;)</pre>"
