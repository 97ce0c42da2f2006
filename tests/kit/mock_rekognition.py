"""Requests to Rekognition as clients send them, signed by botocore, and a suite for its claims."""

import base64
import contextlib
import datetime as dt
import functools
import io
import json
import logging
from unittest import mock

import attrs
import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from kit import mock_didit as didit
from kit.mock_didit import START, control
from PIL import Image as Pillow

from facematch_mock_server import make_card
from facematch_mock_server.messages import Request
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.vendors.rekognition.vendor import ACCESS_KEY

#: What the pictures show is told by the test cards themselves: nothing of it is set.
SETTINGS = ({"vendor": "rekognition", "recognizer": PictureRecognizer()},)
HOST = "rekognition.eu-west-1.amazonaws.com"
card = functools.cache(make_card)


def signed(
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
    """A request with that body (bytes, or what becomes JSON), signed by botocore."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"RekognitionService.{operation}",
        "Host": HOST,
        **dict(more),
    }
    made = AWSRequest("POST", f"https://{HOST}/", headers, data)
    with mock.patch.object(
        botocore.auth, "get_current_datetime", return_value=at.replace(tzinfo=None)
    ):
        botocore.auth.SigV4Auth(Credentials(key, secret, token), service, region).add_auth(made)
    return Request(method="POST", target="/", headers=tuple(made.headers.items()), body=data)


@contextlib.contextmanager
def boto(url, *, key=ACCESS_KEY, secret="mock-live-key", **settings):
    """A client of boto3 that asks `url`."""
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


@contextlib.contextmanager
def moto():
    """The address of moto's own server, on the loopback."""
    from moto.server import ThreadedMotoServer  # not above: a second of a start

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def image(content):
    """A picture as JSON holds it."""
    return {"Bytes": base64.b64encode(content).decode()}


def pair(source=None, target=None, **more):
    """The body of a comparison of two pictures (bytes)."""
    return {
        "SourceImage": image(card("p1") if source is None else source),
        "TargetImage": image(card("p1", quality=60) if target is None else target),
        **more,
    }


def compare(source=None, target=None, **more):
    """A comparison of two pictures (bytes)."""
    return signed(pair(source, target, **more))


def detect(picture=None, **more):
    """A search for the faces of a picture (bytes)."""
    body = {"Image": image(card("p1") if picture is None else picture), **more}
    return signed(body, "DetectFaces")


def drawn(kind="PNG", size=(200, 200)):
    """A picture that is no card."""
    made = io.BytesIO()
    Pillow.new("RGB", size, "grey").save(made, kind)
    return made.getvalue()


def without(request, name):
    """The request without a header."""
    kept = tuple(one for one in request.headers if one[0] != name)
    return attrs.evolve(request, headers=kept)


def late(minutes):
    """A comparison that was signed so many minutes after the clock's time."""
    return signed(pair(), at=START + dt.timedelta(minutes=minutes))


SCENARIOS = {
    "compare": (
        compare(),
        compare(target=card("p2")),
        compare(target=card("p2"), SimilarityThreshold=0),
        compare(target=card("p1", faces=2), SimilarityThreshold=0, QualityFilter="HIGH"),
        compare(source=card("p1", faces=0)),
        compare(target=card("p1", faces=0)),
        detect(card("p1", faces=2), Attributes=["ALL"]),
        detect(card("p1", faces=0)),
        compare(source=card("p1", faces=2)),
        compare(source=drawn("JPEG")),
    ),
    "refused": (
        compare(b"no picture"),
        compare(target=drawn("WEBP")),
        compare(drawn(size=(79, 200))),
        compare(b"x" * (5 * 1024 * 1024 + 1)),
        signed({"SourceImage": {"S3Object": {"Bucket": "b", "Name": "n"}}}),
        signed({}),
        signed(b"{"),
        compare(SimilarityThreshold=101),
        signed({}, "IndexFaces"),
    ),
    "signatures": (
        without(compare(), "authorization"),
        without(compare(), "x-amz-date"),
        signed(pair(), key="somebody-else"),
        signed(pair(), secret="another"),
        signed(pair(), service="s3"),
        signed(pair(), token="of-a-session"),
        signed(pair(), at=dt.datetime.now(dt.UTC)),
        attrs.evolve(compare(), body=b"{}"),
        late(-16),
        signed(pair(), at=dt.datetime(2999, 1, 1, tzinfo=dt.UTC)),
        control("keys", {"key": "weak-key", "client": "weak", "allowed": False}),
        signed(pair(), key="weak", secret="weak-key"),
    ),
    "quotas": (
        control("limits", {"second": 1}),
        compare(),
        compare(),
        control("limits", {"second": None, "increase": 0}),
        compare(),
        control("limits", {"increase": None, "capacity": 0}),
        compare(),
    ),
    "faults": tuple(didit.struck(status, compare()) for status in (400, 404, 500, 503)),
}
