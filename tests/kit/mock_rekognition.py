"""Requests to Rekognition as clients send them, signed by botocore."""

import base64
import contextlib
import datetime as dt
import functools
import io
from unittest import mock

import attrs
import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from kit import mock_didit as didit
from kit import mock_didit_sessions as sessions
from kit.mock_didit import START, control_request, json_bytes, new_engine
from kit.scenario import BIG, Scenario, advance, answer_with_fault, limit
from PIL import Image as Pillow

from facematch_mock_server import make_card
from facematch_mock_server.base.messages import Request
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors.rekognition.vendor import ACCESS_KEY

#: What the pictures show is what the test cards themselves say: nothing of it is set.
SETTINGS = tuple(
    {"vendor": "rekognition", "recognizer": Recognizer(), "switches": {"auth_names": names}}
    for names in ("observed", "documented")
)
HOST = "rekognition.eu-west-1.amazonaws.com"
card = functools.cache(make_card)


def signed_request(
    body,
    operation="CompareFaces",
    *,
    key=ACCESS_KEY,
    secret="mock-live-key",
    token=None,
    at=START,
    region="eu-west-1",
    service="rekognition",
    more=(),
):
    data = json_bytes(body)
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"RekognitionService.{operation}",
        "Host": HOST,
        **dict(more),
    }
    request = AWSRequest("POST", f"https://{HOST}/", headers, data)
    with mock.patch.object(
        botocore.auth, "get_current_datetime", return_value=at.replace(tzinfo=None)
    ):
        botocore.auth.SigV4Auth(Credentials(key, secret, token), service, region).add_auth(request)
    return Request.make(
        method="POST", target="/", headers=tuple(request.headers.items()), body=data
    )


@contextlib.contextmanager
def boto(url, *, key=ACCESS_KEY, secret="mock-live-key", **settings):
    client = boto3.client(
        "rekognition",
        region_name="eu-west-1",
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(**settings) if settings else None,
    )
    try:
        yield client
    finally:
        client.close()


def image(content):
    return {"Bytes": base64.b64encode(content).decode()}


def pair(source=None, target=None, **more):
    return {
        "SourceImage": image(card("p1") if source is None else source),
        "TargetImage": image(card("p1", quality=60) if target is None else target),
        **more,
    }


def signed_compare(source=None, target=None, **more):
    return signed_request(pair(source, target, **more))


def signed_detect(picture=None, **more):
    body = {"Image": image(card("p1") if picture is None else picture), **more}
    return signed_request(body, "DetectFaces")


def signed_start(**body):
    return signed_request(body, "CreateFaceLivenessSession")


def reading(number):
    return lambda engine: engine.handle(
        signed_request(
            {"SessionId": engine.world.sessions.all()[number - 1].id},
            "GetFaceLivenessSessionResults",
        )
    )


def draw_picture(kind="PNG", size=(200, 200)):
    buffer = io.BytesIO()
    Pillow.new("RGB", size, "grey").save(buffer, kind)
    return buffer.getvalue()


def without_header(request, name):
    kept = tuple(header for header in request.headers if header[0] != name)
    return attrs.evolve(request, headers=kept)


def code_of(request):
    answer = new_engine(**SETTINGS[0]).handle(request)
    name = answer.json().get("__type")
    assert answer.status == (400 if name else 200)
    return name


def compare_too_large_a_picture_in_s3(engine):
    engine.account.named_pictures["photos/large"] = b"x" * (15 * 1024 * 1024 + 1)
    place = {"Bucket": "photos", "Name": "large"}
    return engine.handle(signed_request({"SourceImage": {"S3Object": place}}))


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    comparisons = (
        signed_compare(target=card("p1", faces=2), SimilarityThreshold=0, QualityFilter="HIGH"),
        signed_compare(target=card("p1", faces=0)),
        signed_detect(card("p1", faces=2), Attributes=["ALL"]),
        signed_compare(source=card("p1", faces=2)),
        signed_compare(source=draw_picture("JPEG")),
        signed_compare(target=draw_picture("WEBP")),
        signed_compare(draw_picture(size=(79, 200))),
        signed_compare(b"x" * BIG),
        signed_request({"SourceImage": {"S3Object": {"Bucket": "b", "Name": "n"}}}),
        signed_request({"SourceImage": {"S3Object": {"Bucket": "photos", "Name": "n"}}}),
        compare_too_large_a_picture_in_s3,
        signed_request(b"{"),
        signed_compare(SimilarityThreshold=101),
        signed_request({}, "IndexFaces"),
        without_header(signed_compare(), "authorization"),
        without_header(signed_compare(), "x-amz-date"),
        signed_request(pair(), key="somebody-else"),
        signed_request(pair(), service="s3"),
        signed_request(pair(), token="of-a-session"),
        signed_request(pair(), at=dt.datetime.now(dt.UTC)),
        signed_request(pair(), at=didit.START - dt.timedelta(minutes=16)),
        signed_request(pair(), at=dt.datetime(2999, 1, 1, tzinfo=dt.UTC)),
        control_request("keys", {"key": "weak-key", "client": "weak", "allowed": False}),
        signed_request(pair(), key="weak", secret="weak-key"),
        answer_with_fault(500, signed_compare()),
        limit("second", 1),
        signed_compare(),
        signed_compare(),
        control_request("limits", {"second": None, "increase": 0}),
        signed_compare(),
        control_request("limits", {"increase": None, "capacity": 0}),
        signed_compare(),
    )
    live = (
        signed_start(ClientRequestToken="one"),
        signed_start(ClientRequestToken="one"),
        signed_start(KmsKeyId="-"),
        signed_start(Settings={"OutputConfig": {"S3Bucket": "bucket"}}),
        sessions.acting(1, "card"),
        reading(1),
        sessions.acting(2, "card"),
        reading(2),
        advance(181),
        reading(1),
    )
    return [
        Scenario("rekognition", comparisons, {"auth_names": "observed"}, Recognizer()),
        Scenario("rekognition", comparisons, {"auth_names": "documented"}, Recognizer()),
        Scenario("rekognition", live, {}, Recognizer()),
        Scenario("rekognition", live, {"session_charged": "never"}, Recognizer()),
        Scenario(
            "rekognition",
            live,
            {"session_over": "expired", "session_charged": "created"},
            Recognizer(),
        ),
    ]
