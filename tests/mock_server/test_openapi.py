"""The OpenAPI document of a server: complete, valid, guarded, and good for a client."""

import importlib
import io
import pkgutil
import subprocess
import sys

import mock_didit as didit
import pytest
import requests
from mock_worlds import app_of
from openapi_spec_validator import OpenAPIV31SpecValidator

from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.control import operations_of
from facematch_mock_server.vendors import vendor_named

VENDORS = ("didit", "deepvue", "compreface", "rekognition", "azure")
EDITIONS = [(name, edition) for name in VENDORS for edition in vendor_named(name).editions]
UUID = "6f1d2c3b-4a59-48f7-8d1c-2b3a49586776"


def app(vendor="didit", **settings):
    """What answers for one vendor."""
    return app_of(didit.new_world(vendor=vendor, **settings))


def read(engine, **more):
    """The document as it is asked for."""
    return engine.handle(didit.control("openapi.json", **more))


def operations(document):
    """Every operation, by method and path."""
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


@pytest.fixture(scope="module")
def whole():
    """The document of a server of all vendors."""
    return MockServer(vendor=VENDORS).control.openapi()


@pytest.mark.long
@pytest.mark.parametrize(("vendor", "edition"), EDITIONS)
def test_it_is_valid_in_every_edition(vendor, edition):
    """Whoever reads OpenAPI 3.1 can read it."""
    answer = read(app(vendor, edition=edition))
    assert (answer.status, answer.header("Content-Type")) == (200, "application/json")
    OpenAPIV31SpecValidator(answer.json()).validate()


def test_it_is_valid_for_several_vendors(whole):
    """And their names do not get in each other's way."""
    OpenAPIV31SpecValidator(whole).validate()
    ids = [operation["operationId"] for operation in operations(whole).values()]
    assert len(ids) == len(set(ids))
    assert {tag for one in operations(whole).values() for tag in one["tags"]} == {
        *VENDORS,
        "control",
    }


@pytest.mark.parametrize(("vendor", "edition"), EDITIONS)
def test_every_path_that_is_there_stands_in_it(vendor, edition):
    """A route is described exactly if the edition answers there."""
    engine = app(vendor, edition=edition)
    described = operations(read(engine).json())
    routed = engine.state.worlds[0].kind.behaviour(engine.world)
    nowhere = {"didit.path.unknown", "didit.path.not_a_uuid", "mock.later"}
    for route in routed.routes:
        path = route.pattern
        for name in route.placeholders:
            path = path.replace(f"{{{name}}}", UUID)
        for method in route.answers:
            claims = engine.handle(didit.request(path, method=method)).claims
            is_there = not nowhere & set(claims)
            assert ((method, route.pattern) in described) == is_there, route.pattern
            if is_there:
                assert described[method, route.pattern]["summary"].endswith("."), route.pattern


def test_every_operation_of_the_control_api_stands_in_it(whole):
    """Of each vendor, and by the name of each but the first."""
    expected = set()
    for name in VENDORS:
        below = "" if name == VENDORS[0] else f"{name}/"
        for method, path in operations_of(vendor_named(name)):
            word = {"claims/{}": "claim_id", "ledger/{}": "owner"}.get(path, "address")
            expected.add((method, f"/__mock__/{below}{path}".replace("{}", f"{{{word}}}")))
    assert {one for one in operations(whole) if one[1].startswith("/__mock__/")} == expected


def test_names_stay():
    """What a generated client calls does not depend on what else is served."""
    alone = operations(MockServer(vendor="deepvue").control.openapi()).values()
    beside = operations(MockServer(vendor=("didit", "deepvue")).control.openapi()).values()
    ids = {one["operationId"] for one in alone}
    assert ids == {one["operationId"] for one in beside if one["operationId"].startswith("deepvue")}
    assert {
        *("deepvue_authorize", "deepvue_facematch", "deepvue_v2_facematch"),
        *("deepvue_control_get_journal", "deepvue_control_post_clock_advance"),
    } <= ids


def test_a_face_match_in_detail(whole):
    """What its fields are, and the header that is needed."""
    match = whole["paths"]["/v3/face-match/"]["post"]
    body = match["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert match["operationId"] == "didit_face_match"
    assert match["security"] == [{"x-api-key": []}]
    assert body["required"] == ["user_image", "ref_image"]
    assert body["properties"]["user_image"] == {"type": "string", "format": "binary"}
    assert body["properties"][didit.MATCH_THRESHOLD] == {"type": "number", "default": 30}
    assert match["responses"]["403"]["content"]["application/json"]["example"] == {
        "detail": "You do not have permission to perform this action."
    }
    assert whole["tags"][0]["description"].startswith("Didit, edition 2026-07; ")


def test_a_picture_that_is_the_whole_body(whole):
    """It is no form, and what is asked for stands in the query; the answer is a list."""
    detect = whole["paths"]["/face/v1.2/detect"]["post"]
    schema = {"type": "string", "format": "binary"}
    assert detect["requestBody"] == {
        "required": True,
        "content": {"application/octet-stream": {"schema": schema}},
    }
    query = {one["name"]: one["schema"] for one in detect["parameters"]}
    assert query["faceIdTimeToLive"] == {"type": "integer", "default": 86400}
    assert query["detectionModel"]["enum"] == ["detection_01", "detection_02", "detection_03"]
    answer = detect["responses"]["200"]["content"]["application/json"]
    assert answer["schema"]["type"] == "array"


def test_what_an_edition_has_is_told_as_that_edition_has_it():
    """Fields, statuses and paths."""
    told = {one: read(app(edition=one)).json() for one in vendor_named("didit").editions}
    deleted = {
        one: set(document["paths"]["/v3/session/{uuid}/delete/"]["delete"]["responses"])
        for one, document in told.items()
    }
    assert "204" in deleted["2026-07"]
    assert len({tuple(document["paths"]) for document in told.values()}) > 1
    switched = read(app(switches={"delete_status": 200})).json()
    responses = switched["paths"]["/v3/session/{uuid}/delete/"]["delete"]["responses"]
    assert "200" in responses
    assert "204" not in responses


def test_the_guard_is_that_of_the_control_api():
    """A foreign host name and a missing token are refused; the token stands nowhere."""
    assert read(app(), host="mock.example").status == 403
    assert read(app(control=False)).status == 404
    guarded = app(control_token="0123456789abcdef")
    assert read(guarded).status == 403
    answer = read(guarded, x_mock_token="0123456789abcdef")
    assert b"0123456789abcdef" not in answer.body
    document = answer.json()
    assert document["paths"]["/__mock__/clock"]["get"]["security"] == [{"X-Mock-Token": []}]
    assert document["components"]["securitySchemes"]["X-Mock-Token"]["in"] == "header"
    assert read(app()).json()["paths"]["/__mock__/clock"]["get"]["security"] == []


def test_to_read_it_changes_nothing():
    """The same again, and the ids that follow are those of a world that never was asked for it."""
    one, other = app(), app()
    assert read(one).body == read(one).body
    assert one.handle(didit.match()).body == other.handle(didit.match()).body
    deepvue = app("deepvue")
    read(deepvue)
    assert deepvue.state.ids.uuid() == app("deepvue").state.ids.uuid()


def test_the_address_is_told():
    """Where a server listens; without a socket there is none."""
    with MockServer() as mock:
        told = requests.get(f"{mock.control_url}openapi.json", timeout=10).json()
        assert told["servers"] == [{"url": mock.url}]
        assert mock.control.openapi() == told
    assert "servers" not in MockServer().control.openapi()


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A server of two vendors, and the client for it that openapi-python-client generates."""
    tmp_path, patch = tmp_path_factory.mktemp("client"), pytest.MonkeyPatch()
    with MockServer(vendor=("didit", "deepvue")) as mock:
        document = requests.get(f"{mock.control_url}openapi.json", timeout=10).text
        (tmp_path / "openapi.json").write_text(document)
        (tmp_path / "config.yml").write_text("post_hooks: []\n")
        command = [sys.executable, "-m", "openapi_python_client", "generate"]
        options = ["--path", "openapi.json", "--output-path", "made_client", "--meta", "none"]
        made = subprocess.run(
            [*command, *options, "--config", "config.yml", "--fail-on-warning"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        patch.syspath_prepend(tmp_path)
        yield mock, lambda name: importlib.import_module(f"made_client.{name}")
    patch.undo()
    for name in [one for one in sys.modules if one.partition(".")[0] == "made_client"]:
        del sys.modules[name]


@pytest.mark.usefixtures("client")
@pytest.mark.long
def test_a_generated_client_can_be_imported():
    """Every module of it: what a generator cannot make of the document shows there."""
    package = importlib.import_module("made_client")
    names = [one.name for one in pkgutil.walk_packages(package.__path__, "made_client.")]
    assert "made_client.api.didit.didit_face_match" in names
    for name in names:
        importlib.import_module(name)


def test_a_generated_client(client):
    """It compares faces at both vendors, forces an outcome, and reads what was asked."""
    mock, made = client
    models, types = made("models"), made("types")
    session = made("client").AuthenticatedClient(
        base_url=mock.url, token=mock.live_key, prefix="", auth_header_name="x-api-key"
    )

    def picture(name):
        content = io.BytesIO(card_sheet()[name].data)
        return types.File(payload=content, file_name=f"{name}.png", mime_type="image/png")

    def match(client):
        metadata = models.DiditFaceMatchBodyMetadata.from_dict({"gate": "north"})
        body = models.DiditFaceMatchBody(
            user_image=picture("p1"), ref_image=picture("p1-again"), metadata=metadata
        )
        call = made("api.didit.didit_face_match").sync_detailed
        return call(client=client, body=body)

    answer = match(session)
    assert answer.status_code == 200
    assert answer.parsed["face_match"]["status"] == "Approved"
    assert answer.parsed["metadata"] == {"gate": "north"}

    forced = models.DiditControlPostOutcomesBody(kind="match", score=3.5)
    made("api.control.didit_control_post_outcomes").sync(client=session, body=forced)
    assert match(session).parsed["face_match"]["status"] == "Declined"

    stranger = made("client").AuthenticatedClient(
        base_url=mock.url, token="nobody", prefix="", auth_header_name="x-api-key"
    )
    refused = match(stranger)
    assert (refused.status_code, type(refused.parsed)) == (403, models.Refusal)

    deepvue = mock.of("deepvue")
    pair = models.DeepvueAuthorizeBody(client_id=deepvue.client_id, client_secret=deepvue.live_key)
    anybody = made("client").Client(base_url=mock.url)
    token = made("api.deepvue.deepvue_authorize").sync(client=anybody, body=pair)
    signed_in = made("client").AuthenticatedClient(
        base_url=mock.url, token=token["access_token"], headers={"x-api-key": deepvue.live_key}
    )
    pictures = models.DeepvueFacematchBody(file_a=picture("p1"), file_b=picture("p1-again"))
    same = made("api.deepvue.deepvue_facematch").sync(client=signed_in, body=pictures)
    assert same["data"]["match"] is True

    journal = made("api.control.didit_control_get_journal").sync(client=anybody)
    assert [entry["status"] for entry in journal.entries] == [200, 200, 403, 200, 200]
    ledger = made("api.control.deepvue_control_get_ledger_owner").sync("mock", client=anybody)
    assert len(ledger["entries"]) == 1
    for opened in (session, stranger, anybody, signed_in):
        opened.get_httpx_client().close()
