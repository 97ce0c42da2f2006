"""Requests to Rekognition as clients send them, signed by botocore."""

import base64
import contextlib
import functools
import io
from unittest import mock

import attrs
import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from kit.mock_didit import START, json_bytes, new_engine
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
