"""Rekognition: requests to its mock, signed by botocore, and its simulator."""

import base64
import contextlib
import datetime as dt
import functools
from unittest import mock

import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from kit import mock_sessions
from kit.mock_world import (
    START,
    control_request,
    draw_picture,
    json_bytes,
    new_engine,
    without_header,
)
from kit.scenario import BIG, Scenario, advance, answer_with_fault, limit
from kit.session_words import NO_ENVIRONMENT, NO_TIME, OTHER_ID, put, words_at

from facematch_core import LivenessDecision, SessionState
from facematch_core.models import ThresholdRule
from facematch_core.testing import SessionCase, SessionWord, Situation
from facematch_mock_server import make_card
from facematch_mock_server.base.messages import Request
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.testing import MockSessions, MockSimulator
from facematch_mock_server.vendors.rekognition.vendor import ACCESS_KEY

#: What the pictures show is what the test cards themselves say: nothing of it is set.
SETTINGS = {"vendor": "rekognition", "recognizer": Recognizer()}
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


def code_of(request):
    answer = new_engine(**SETTINGS).handle(request)
    name = answer.json().get("__type")
    assert answer.status == (400 if name else 200)
    return name


def compare_too_large_a_picture_in_s3(engine):
    engine.account.named_pictures["photos/large"] = b"x" * (15 * 1024 * 1024 + 1)
    place = {"Bucket": "photos", "Name": "large"}
    return engine.handle(signed_request({"SourceImage": {"S3Object": place}}))


def search_newest_face(engine):
    """A step: the newest face of a collection is searched for in it."""
    *_, face = engine.world.records.persons.all()
    searched = {"CollectionId": face.group_id, "FaceId": face.id}
    return engine.handle(signed_request(searched, "SearchFaces"))


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    comparisons = (
        signed_compare(target=card("p1", faces=0)),
        signed_detect(card("p1", faces=2), Attributes=["ALL"]),
        signed_compare(source=draw_picture("JPEG")),
        signed_compare(target=draw_picture("WEBP")),
        signed_compare(b"x" * BIG),
        signed_request({"SourceImage": {"S3Object": {"Bucket": "photos", "Name": "n"}}}),
        signed_request(
            {**pair(), "SourceImage": {"S3Object": {"Bucket": "any", "Name": "p1.png"}}}
        ),
        compare_too_large_a_picture_in_s3,
        signed_request(b"{"),
        signed_request({}, "DetectText"),
        without_header(signed_compare(), "authorization"),
        without_header(signed_compare(), "x-amz-date"),
        signed_request(pair(), key="somebody-else"),
        signed_request(pair(), service="s3"),
        signed_request(pair(), at=START - dt.timedelta(minutes=16)),
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
        signed_start(Settings={"OutputConfig": {"S3Bucket": "bucket"}}),
        mock_sessions.acting(1, "card"),
        reading(1),
        mock_sessions.acting(2, "card"),
        reading(2),
        advance(181),
        reading(1),
        signed_request({"SessionId": mock_sessions.NO_SESSION}, "GetFaceLivenessSessionResults"),
    )
    people = {"CollectionId": "people"}
    indexing = {**people, "Image": image(card("p1"))}
    collections = (
        signed_request(people, "CreateCollection"),
        signed_request(people, "CreateCollection"),
        signed_request(indexing, "IndexFaces"),
        signed_request(indexing, "SearchFacesByImage"),
        signed_request({**people, "Image": image(card("p1", faces=0))}, "SearchFacesByImage"),
        search_newest_face,
        signed_request({**people, "FaceIds": [OTHER_ID]}, "DeleteFaces"),
        signed_request(people, "DeleteCollection"),
        signed_request(people, "DeleteCollection"),
    )
    return [
        Scenario("rekognition", collections, recognizer=Recognizer()),
        Scenario("rekognition", comparisons, {}, Recognizer()),
        Scenario("rekognition", live, {}, Recognizer()),
    ]


# The simulator of Amazon Rekognition: the mock server in the place of AWS.

PAGE = "AWS, API reference of GetFaceLivenessSessionResults, read on 2026-11-23"


class RekognitionSessions(MockSessions):
    id_name = "SessionId"
    start_sets_lifetime = False
    hands_over = ("page",)
    hands_over_again = ("page",)
    cannot_happen = {
        SessionCase.NO_FACE_ITEM: "A session is about a face alone.",
        SessionCase.TRY_AGAIN: "A session serves one attempt.",
        SessionCase.OLDER: NO_TIME,
        SessionCase.SANDBOX: NO_ENVIRONMENT,
        SessionCase.UNKNOWN_ENVIRONMENT: NO_ENVIRONMENT,
    }
    changes = {
        SessionCase.UNFINISHED: lambda body: body.pop("Confidence"),
        SessionCase.LOW_SCORE: put(Confidence=50.0),
        SessionCase.FOREIGN: put(SessionId=OTHER_ID),
    }
    words = (
        *words_at(
            ("Status",),
            PAGE,
            {
                SessionState.PENDING: "CREATED, IN_PROGRESS",
                SessionState.DECIDED: "SUCCEEDED",
                SessionState.FAILED: "FAILED",
                SessionState.EXPIRED: "EXPIRED",
            },
            yes="SUCCEEDED",
        ),
        # Without options a start accepts FaceMovementAndLightChallenge alone.
        SessionWord(("Challenge", "Type"), "FaceMovementChallenge", LivenessDecision.REVIEW, PAGE),
    )

    def kept(self, session_id):
        session = self.control.world.sessions.find(session_id)
        return 0 if session is None else int(session.metadata["audit_images"])


class RekognitionSimulator(MockSimulator):
    vendor = "rekognition"
    calls = frozenset({"/"})
    session_class = RekognitionSessions
    cannot_happen = {
        Situation.NO_CREDIT: "AWS sends a bill: there is no credit that could end.",
        Situation.SPOOF: "CompareFaces has no liveness check.",
    }
    # No document says whether a comparison that found no face is charged.
    price_unknown = frozenset({Situation.NO_FACE})
    client = "rekognition-simulator-key-41c7"
    secrets = ("rekognition-simulator-secret-b20e95", client)
    keys = {"region": "eu-west-1", "access_key_id": client, "secret_access_key": secrets[0]}
    documented_capabilities = {
        "default_threshold": 80.0,
        "threshold_rule": ThresholdRule.AT_LEAST,
    }
    scope = "second"

    def alter(self, request, body):
        for match in body.get("FaceMatches", ()):
            self.put_score(match, "Similarity")
        return body

    def understand(self, request):
        body = request.json()
        return {
            name: base64.b64decode(body[field]["Bytes"])
            for field, name in (("TargetImage", "probe"), ("SourceImage", "reference"))
            if field in body
        }
