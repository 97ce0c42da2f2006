"""Requests to Tencent Cloud IAI as clients send them, signed by Tencent's own function."""

import base64
import datetime as dt
import hashlib

from kit import mock_didit as didit
from kit import mock_rekognition as rekognition
from kit.mock_didit import START, control_request, json_bytes, scene
from kit.mock_rekognition import without_header
from kit.scenario import BIG, Scenario, limit
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.common.sign import Sign
from tencentcloud.iai.v20200303 import models
from tencentcloud.iai.v20200303.iai_client import IaiClient

from facematch_mock_server.base.messages import Request
from facematch_mock_server.vendors.tencent.vendor import SECRET_ID, SECRET_KEY

HOST = "iai.tencentcloudapi.com"


def encoded(content):
    return base64.b64encode(content).decode()


def signed_request(
    body,
    action="CompareFace",
    *,
    secret_id=SECRET_ID,
    secret_key=SECRET_KEY,
    at=START,
    signed_headers=("content-type", "host"),
    service="iai",
    **headers,
):
    """A request whose further headers are named like X-TC-Region: `region`; None leaves one out."""
    data = json_bytes(body)
    timestamp = str(int(at.timestamp()))
    sent = {"content-type": "application/json", "host": HOST, "x-tc-timestamp": timestamp}
    values = {"action": action, "version": "2020-03-03", "region": "ap-singapore", **headers}
    for name, value in values.items():
        if value is not None:
            sent[f"x-tc-{name.replace('_', '-')}"] = value
    payload = b"UNSIGNED-PAYLOAD" if "x-tc-content-sha256" in sent else data
    lines = [f"{name}:{sent[name].lower()}\n" for name in signed_headers]
    names = ";".join(signed_headers)
    digest = hashlib.sha256(payload).hexdigest()
    canonical = f"POST\n/\n\n{''.join(lines)}\n{names}\n{digest}".encode()
    date = at.astimezone(dt.UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    sent["authorization"] = (
        f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders={names}, "
        f"Signature={Sign.sign_tc3(secret_key, date, service, text)}"
    )
    return Request.make(method="POST", target="/", headers=tuple(sent.items()), body=data)


def compare_request(image_a=None, image_b=None, *, fields=None, **more):
    """A comparison; a picture that is False is left out."""
    body = {"FaceMatchingStrategy": 1}
    for name, content in (("ImageA", image_a), ("ImageB", image_b)):
        if content is not False:
            body[name] = encoded(scene() if content is None else content)
    return signed_request({**body, **(fields or {})}, **more)


def liveness_request(image=None, *, action="DetectLiveFaceAccurate", **more):
    body = {"Image": encoded(scene() if image is None else image)}
    return signed_request(body, action, **more)


def detect_request(image=None, *, fields=None, **more):
    body = {"Image": encoded(scene() if image is None else image)}
    return signed_request({**body, **(fields or {})}, "DetectFace", **more)


def tencents_client(url, *, secret_id=SECRET_ID, secret_key=SECRET_KEY, token=None, **settings):
    """Tencent's own client, unmodified, whose endpoint is the mock."""
    http_profile = HttpProfile(protocol="http", endpoint=url.removeprefix("http://"))
    profile = ClientProfile(httpProfile=http_profile)
    vars(profile).update(settings)
    return IaiClient(Credential(secret_id, secret_key, token), "ap-singapore", profile)


def ask(call, request_class, **fields):
    """Make a call with Tencent's client; return its answer, or the code of its exception."""
    request = request_class()
    for name, value in fields.items():
        setattr(request, name, encoded(value) if isinstance(value, bytes) else value)
    try:
        return call(request)
    except TencentCloudSDKException as error:
        return error.get_code()


def compare(client, image_a, image_b, **fields):
    fields = {"ImageA": image_a, "ImageB": image_b, "FaceMatchingStrategy": 1, **fields}
    return ask(client.CompareFace, models.CompareFaceRequest, **fields)


def check_liveness(client, image, **fields):
    request_class = models.DetectLiveFaceAccurateRequest
    return ask(client.DetectLiveFaceAccurate, request_class, Image=image, **fields)


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        compare_request(token="of-a-temporary-key"),
        compare_request(scene(faces=2)),
        liveness_request(),
        liveness_request(scene(faces=0)),
        liveness_request(region=None),
        liveness_request(region="eu-frankfurt"),
        compare_request(b"no picture"),
        compare_request(fields={"ImageA": "not base64!"}),
        compare_request(fields={"UrlA": "https://faces.example/a.jpg"}),
        compare_request(fields={"FaceModelVersion": "1.0"}),
        compare_request(False),
        compare_request(b"x" * BIG),
        compare_request(rekognition.draw_picture("GIF")),
        compare_request(rekognition.draw_picture(size=(63, 200))),
        compare_request(rekognition.draw_picture(size=(2001, 200))),
        compare_request(action="NoSuchAction"),
        compare_request(version="2018-03-01"),
        compare_request(version="2017-03-12"),
        liveness_request(action="DetectLiveFace"),
        detect_request(fields={"NeedQualityDetection": 1, "NeedRotateDetection": 1}),
        detect_request(fields={"MinFaceSize": 1000}),
        compare_request(scene(quality=10), fields={"QualityControl": 1}),
        compare_request(fields={"QualityControl": 5}),
        signed_request(b"["),
        signed_request(b" " * (10 * 1024 * 1024 + 1)),
        without_header(compare_request(), "authorization"),
        compare_request(service="cvm"),
        compare_request(at=didit.START - dt.timedelta(minutes=6)),
        compare_request(secret_id="another-id"),
        compare_request(secret_key="another-key"),
        control_request("keys", {"key": "old-key", "client": "old", "expires": "2026-07-01"}),
        compare_request(secret_id="old", secret_key="old-key"),
        control_request("keys", {"key": "weak-key", "client": "weak", "allowed": False}),
        compare_request(secret_id="weak", secret_key="weak-key"),
        limit("second", 0),
        compare_request(),
        limit("second", None),
        control_request("ledger/balance", {"balance": "0"}),
        compare_request(),
    )
    return [
        Scenario("tencent", calls, {"price": "0.01"}),
    ]
