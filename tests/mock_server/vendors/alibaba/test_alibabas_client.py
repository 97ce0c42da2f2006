"""The mock and Alibaba's own client, alibabacloud_facebody20191230, unmodified."""

import base64
import io
import re

import pytest
from alibabacloud_facebody20191230 import models
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException
from alibabacloud_tea_util.models import RuntimeOptions

from facematch_mock_server import Fault, MockServer, card_sheet
from facematch_mock_server.vendors.alibaba.vendor import KEY_ID, KEY_SECRET

CARDS = {name: card.data for name, card in card_sheet().items()}
#: The client's own limits of 5 and 10 seconds are too short for a busy machine.
PATIENT_MS = {"connect_timeout": 120_000, "read_timeout": 120_000}
UUID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


@pytest.fixture(scope="module")
def server():
    with MockServer(vendor="alibaba") as running:
        yield running


@pytest.fixture
def mock(server):
    server.control.reset()
    return server


@pytest.fixture(params=[None, "v2"], ids=["version 3", "version 2"])
def client(mock, request):
    return open_client(mock, signature_algorithm=request.param)


def open_client_at(endpoint, *, key_id=KEY_ID, secret=KEY_SECRET, **settings):
    # Takes a third of a second, which only these tests pay.
    from alibabacloud_facebody20191230.client import Client
    from alibabacloud_tea_openapi.models import Config

    config = Config(
        access_key_id=key_id,
        access_key_secret=secret,
        endpoint=endpoint,
        region_id="cn-shanghai",
        **PATIENT_MS,
        **settings,
    )
    return Client(config)


def open_client(mock, **settings):
    return open_client_at(mock.url.removeprefix("http://"), protocol="http", **settings)


def compare(client, image_a, image_b, **fields):
    """Return the Data of a comparison, or the code of the client's exception."""
    request = models.CompareFaceRequest(
        image_data_a=base64.b64encode(image_a).decode(),
        image_data_b=base64.b64encode(image_b).decode(),
        **fields,
    )
    try:
        answer = client.compare_face(request)
    except (ClientException, ServerException) as error:
        return error.code
    assert UUID.fullmatch(answer.body.request_id)
    return answer.body.data


def check_liveness(client, image):
    """Return the only element of the answer."""
    task = models.DetectLivingFaceRequestTasks(image_data=base64.b64encode(image).decode())
    answer = client.detect_living_face(models.DetectLivingFaceRequest(tasks=[task]))
    (element,) = answer.body.data.elements
    return element


def test_one_person_and_two_people(client, mock):
    same = compare(client, CARDS["p1"], CARDS["p1-again"], quality_score_threshold=50)
    assert same.confidence > same.thresholds[2] == 75
    assert len(same.rect_alist) == 4
    assert len(same.landmarks_alist) == 10
    assert not same.message_tips
    assert compare(client, CARDS["p1"], CARDS["p2"]).confidence < 61
    assert len(mock.control.charges()) == 2


def test_live_person_spoof_and_nobody(client):
    verdicts = {}
    for name in ("p1", "spoof", "no-face"):
        element = check_liveness(client, CARDS[name])
        (result,) = element.results
        verdicts[name] = (element.face_number, result.label, result.suggestion)
    assert verdicts == {
        "p1": (1, "normal", "pass"),
        "spoof": (1, "liveness", "block"),
        "no-face": (0, "liveness", "block"),
    }


def test_picture_by_its_link(client, mock):
    mock.control.pictures["https://bucket.oss-cn-shanghai.aliyuncs.com/a.png"] = CARDS["p1"]
    request = models.CompareFaceRequest(
        image_urla="https://bucket.oss-cn-shanghai.aliyuncs.com/a.png",
        image_data_b=base64.b64encode(CARDS["p1-again"]).decode(),
    )
    assert client.compare_face(request).body.data.confidence > 75


def test_client_sees_the_code_of_each_refusal(mock, client):
    assert compare(client, CARDS["p1"], CARDS["no-face"]) == "InvalidImage.NotFoundFace"
    assert compare(client, b"no picture", CARDS["p1"]) == "InvalidImage.DecodeError"
    mock.control.set_limit("second", 0)
    assert compare(client, CARDS["p1"], CARDS["p1"]) == "Throttling.User"
    mock.control.set_limit("second", None)
    mock.control.add_fault(Fault(stage="answer", kind="status", status=500))
    assert compare(client, CARDS["p1"], CARDS["p1"]) == "InternalError"
    assert mock.control.charges() == ()
    # The second try has another nonce.
    assert compare(client, CARDS["p1"], CARDS["p1-again"]).confidence > 75
    assert len(mock.control.charges()) == 1


@pytest.mark.parametrize("algorithm", [None, "v2"])
@pytest.mark.parametrize(
    ("key", "code"),
    [
        ({"key_id": "another-id"}, "InvalidAccessKeyId.NotFound"),
        ({"secret": "another-secret"}, "SignatureDoesNotMatch"),
    ],
)
def test_wrong_key_and_wrong_secret(mock, algorithm, key, code):
    client = open_client(mock, signature_algorithm=algorithm, **key)
    assert compare(client, CARDS["p1"], CARDS["p1"]) == code


def test_temporary_key(mock):
    client = open_client(mock, security_token="of-a-role", type="sts")
    assert compare(client, CARDS["p1"], CARDS["p1-again"]).confidence > 75


def test_calls_that_upload_a_file_run_behind_the_door(mock_door):
    """The SDK asks for a policy, posts a form to another host, and sends its link."""
    client = open_client_at("facebody.cn-shanghai.aliyuncs.com")
    runtime = RuntimeOptions(**PATIENT_MS)
    entity = {"db_name": "default", "entity_id": "ada"}
    client.add_face_entity(models.AddFaceEntityRequest(**entity))
    face = {"image_url_object": io.BytesIO(CARDS["p1"]), "extra_data": "of May"}
    client.add_face_advance(models.AddFaceAdvanceRequest(**entity, **face), runtime)
    probe = io.BytesIO(CARDS["p1-again"])
    request = models.SearchFaceAdvanceRequest(db_name="default", limit=1, image_url_object=probe)
    (match,) = client.search_face_advance(request, runtime).body.data.match_list
    (item,) = match.face_items
    assert (item.entity_id, item.extra_data) == ("ada", "of May")
    assert item.confidence > 75
    compared = models.CompareFaceAdvanceRequest(
        image_urlaobject=io.BytesIO(CARDS["p1"]), image_urlbobject=io.BytesIO(CARDS["p1-again"])
    )
    assert client.compare_face_advance(compared, runtime).body.data.confidence == item.confidence
    detected = models.DetectFaceAdvanceRequest(image_urlobject=io.BytesIO(CARDS["p1"]))
    assert client.detect_face_advance(detected, runtime).body.data.face_count == 1
    assert len(mock_door.of("alibaba").control.charges()) == 3
