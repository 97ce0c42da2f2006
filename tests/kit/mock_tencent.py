"""Requests to Tencent Cloud IAI as clients send them, signed by Tencent's own function."""

import base64
import datetime as dt
import hashlib

from kit.mock_didit import START, json_bytes, scene
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
