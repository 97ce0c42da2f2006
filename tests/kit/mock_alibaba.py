"""Requests to Alibaba Cloud's facebody as clients send them, signed without Alibaba's client."""

import base64
import datetime as dt
import hashlib
import hmac
import itertools
from urllib.parse import quote, urlencode

from kit import mock_rekognition as rekognition
from kit.mock_didit import START, control_request, scene
from kit.mock_rekognition import without_header
from kit.scenario import Scenario, answer_with_fault, limit

from facematch_mock_server import make_card
from facematch_mock_server.base.messages import Request
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors.alibaba.vendor import KEY_ID, KEY_SECRET

HOST = "facebody.cn-shanghai.aliyuncs.com"
FORM = "application/x-www-form-urlencoded"
#: More bytes than a picture of each action may have.
TOO_LARGE = {"CompareFace": 3 * 1024 * 1024 + 1, "DetectLivingFace": 10 * 1024 * 1024 + 1}
_NUMBERS = itertools.count()


def encoded(content):
    return base64.b64encode(content).decode()


def formatted(at):
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed_request(
    fields,
    action="CompareFace",
    *,
    key_id=KEY_ID,
    secret=KEY_SECRET,
    at=START,
    nonce=None,
    content_type=FORM,
    query="",
    unsigned=(),
    **headers,
):
    """A request signed by version 3; None leaves one of the further headers out.

    `fields` is the body, or the fields of a form. Headers are named like x-acs-version: `version`.
    """
    body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
    sent = {
        "accept": "application/json",
        "content-type": content_type,
        "host": HOST,
        "user-agent": "AlibabaCloud (Linux; x86_64) Python/3.11.7 Core/0.4.3 TeaDSL/2",
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-acs-credentials-provider": "static_ak",
        "x-acs-date": formatted(at),
        "x-acs-signature-nonce": f"nonce-{next(_NUMBERS)}" if nonce is None else nonce,
    }
    for name, value in {"action": action, "version": "2019-12-30", **headers}.items():
        if value is not None:
            sent[f"x-acs-{name.replace('_', '-')}"] = value
    names = sorted(set(sent) - set(unsigned))
    lines = "".join(f"{name}:{sent[name]}\n" for name in names)
    canonical = (
        f"POST\n/\n{query}\n{lines}\n{';'.join(names)}\n{sent['x-acs-content-sha256']}".encode()
    )
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
    sent["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={';'.join(names)},"
        f"Signature={signature}"
    )
    target = f"/?{query}" if query else "/"
    return Request.make(method="POST", target=target, headers=tuple(sent.items()), body=body)


def signed_by_version_2(
    fields, action="CompareFace", *, key_id=KEY_ID, secret=KEY_SECRET, at=START, nonce=None
):
    """A request of an older client, whose signature stands in the query."""
    query = {
        "AccessKeyId": key_id,
        "Action": action,
        "Format": "JSON",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": f"nonce-{next(_NUMBERS)}" if nonce is None else nonce,
        "SignatureVersion": "1.0",
        "Timestamp": formatted(at),
        "Version": "2019-12-30",
    }
    pairs = sorted({**query, **fields}.items())
    text = f"POST&%2F&{quote(urlencode(pairs, quote_via=quote, safe='~'), safe='~')}"
    digest = hmac.new(f"{secret}&".encode(), text.encode(), "sha1").digest()
    query["Signature"] = base64.b64encode(digest).decode()
    headers = (("host", HOST), ("content-type", FORM))
    body = urlencode(fields).encode()
    return Request.make(method="POST", target=f"/?{urlencode(query)}", headers=headers, body=body)


def pair(image_a=None, image_b=None, **fields):
    """The fields of a comparison; a picture that is False is left out."""
    sent = {}
    for name, content in (("ImageDataA", image_a), ("ImageDataB", image_b)):
        if content is not False:
            sent[name] = encoded(scene() if content is None else content)
    return {**sent, **fields}


def compare_request(image_a=None, image_b=None, *, fields=None, **more):
    return signed_request(pair(image_a, image_b, **(fields or {})), **more)


def liveness_request(image=None, *, fields=None, **more):
    sent = {"Tasks.1.ImageData": encoded(scene() if image is None else image), **(fields or {})}
    return signed_request(sent, "DetectLivingFace", **more)


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        compare_request(security_token="of-a-temporary-key"),
        compare_request(fields={"QualityScoreThreshold": "much"}),
        signed_by_version_2(pair()),
        liveness_request(),
        liveness_request(scene(faces=0)),
        liveness_request(fields={"Tasks.2.ImageURL": "https://faces.example/a.jpg"}),
        liveness_request(b"x" * TOO_LARGE["DetectLivingFace"]),
        compare_request(scene(faces=0)),
        compare_request(b"no picture"),
        compare_request(fields={"ImageDataA": "not base64!"}),
        compare_request(False, fields={"ImageURLA": "https://faces.example/a.jpg"}),
        compare_request(False),
        compare_request(b"x" * TOO_LARGE["CompareFace"]),
        compare_request(rekognition.draw_picture("GIF")),
        compare_request(rekognition.draw_picture(size=(31, 200))),
        compare_request(content_type="application/json"),
        signed_request(b"\xff\xfe=%", content_type="multipart/form-data"),
        compare_request(action="NoSuchAction"),
        compare_request(version="2018-12-03"),
        without_header(compare_request(), "authorization"),
        compare_request(unsigned={"x-acs-date"}),
        compare_request(at=START - dt.timedelta(minutes=16)),
        compare_request(key_id="another-id"),
        compare_request(secret="another-secret"),
        compare_request(nonce="used"),
        compare_request(nonce="used"),
        answer_with_fault(500, compare_request()),
        control_request("keys", {"key": "old-key", "client": "old", "expires": "2026-07-01"}),
        compare_request(key_id="old", secret="old-key"),
        control_request("keys", {"key": "weak-key", "client": "weak", "allowed": False}),
        compare_request(key_id="weak", secret="weak-key"),
        limit("second", 0),
        compare_request(),
        limit("second", None),
        control_request("ledger/balance", {"balance": "0"}),
        compare_request(),
    )
    p1 = make_card("p1")
    return [
        Scenario("alibaba", calls, {"price": "0.01"}),
        Scenario("alibaba", (compare_request(p1, p1),), recognizer=Recognizer()),
    ]
