"""Alibaba Cloud's facebody: requests to its mock, signed without Alibaba's client; simulators."""

import base64
import datetime as dt
import hashlib
import hmac
import itertools
from urllib.parse import quote, urlencode

from kit.mock_world import (
    START,
    control_request,
    draw_picture,
    multipart,
    request_to,
    scene,
    without_header,
)
from kit.scenario import Scenario, answer_with_fault, beyond_limit_and_credit

import facematch_core as fm
from facematch_alibaba import AlibabaBackend
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.models import Box, ThresholdRule
from facematch_core.testing import PairSimulator, Refusal, Situation, Verdict
from facematch_mock_server import Fault, make_card
from facematch_mock_server.base.messages import Request
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.testing import MockSimulator
from facematch_mock_server.vendors.alibaba.vendor import KEY_ID, KEY_SECRET

HOST = "facebody.cn-shanghai.aliyuncs.com"
UPLOAD_HOST = "viapi-customer-temp.oss-cn-shanghai.aliyuncs.com"
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
    method="POST",
    query="",
    host=HOST,
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
        "host": host,
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
        f"{method}\n/\n{query}\n{lines}\n{';'.join(names)}\n{sent['x-acs-content-sha256']}".encode()
    )
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
    sent["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={';'.join(names)},"
        f"Signature={signature}"
    )
    target = f"/?{query}" if query else "/"
    return Request.make(method=method, target=target, headers=tuple(sent.items()), body=body)


def authorize_request(host="openplatform.aliyuncs.com", **more):
    query = "Product=facebody&RegionId=cn-shanghai"
    more = {"version": "2019-12-19", "method": "GET", **more}
    return signed_request({}, "AuthorizeFileUpload", query=query, host=host, **more)


def upload_request(authorized, content, **more):
    """The form that Alibaba's client posts after the answer to `authorize_request`."""
    fields = {
        "OSSAccessKeyId": authorized["AccessKeyId"],
        "policy": authorized["EncodedPolicy"],
        "Signature": authorized["Signature"],
        "key": authorized["ObjectKey"],
        "success_action_status": "201",
        **more,
    }
    files = [("file", authorized["ObjectKey"], content)]
    return request_to("/", *multipart(fields.items(), files), key=None, host=UPLOAD_HOST)


def key_request():
    """What viapi-utils asks for before it puts a file."""
    host = "viapiutils.cn-shanghai.aliyuncs.com"
    return signed_request({}, "GetOssStsToken", host=host, version="2020-04-01")


def put_request(key, content, *, path=f"/{KEY_ID}/a.png", signed_path=None, **more):
    """A file put by the temporary key in an answer to `key_request`, as Alibaba's oss2 does it."""
    headers = {
        "content-type": "image/png",
        "date": "Mon, 30 Nov 2026 08:00:00 GMT",
        "x-oss-security-token": key["SecurityToken"],
        **more,
    }
    date = headers.get("x-oss-date") or headers["date"]
    lines = ["PUT", "", headers["content-type"], date]
    lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-oss-")]
    lines.append(f"/viapi-customer-temp{signed_path or path}")
    digest = hmac.digest(key["AccessKeySecret"].encode(), "\n".join(lines).encode(), "sha1")
    signature = base64.b64encode(digest).decode()
    authorization = f"OSS {key['AccessKeyId']}:{signature}"
    sent = (*headers.items(), ("authorization", authorization), ("host", UPLOAD_HOST))
    return Request.make(method="PUT", target=path, headers=sent, body=content)


def signed_by_version_2(
    fields,
    action="CompareFace",
    *,
    key_id=KEY_ID,
    secret=KEY_SECRET,
    at=START,
    nonce=None,
    place="query",
    answer_format="JSON",
):
    """A request of an older client: its signature stands in the query, or in the form.

    With `place="query alone"` all parameters stand in the query, and the body is JSON.
    """
    query = {
        "AccessKeyId": key_id,
        "Action": action,
        "Format": answer_format,
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
    target, body, content_type = f"/?{urlencode(query)}", urlencode(fields), FORM
    if place == "form":
        target, body = "/", urlencode({**query, **fields})
    elif place == "query alone":
        target, body, content_type = f"/?{urlencode({**query, **fields})}", "{}", "application/json"
    headers = (("host", HOST), ("content-type", content_type))
    return Request.make(method="POST", target=target, headers=headers, body=body.encode())


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


def upload(engine):
    """Ask for an upload's policy, post the form, and one that is not signed."""
    authorized = engine.handle(authorize_request()).json()
    forged = {**authorized, "Signature": "forged"}
    engine.handle(upload_request(forged, scene()))
    key = engine.handle(key_request()).json()["Data"]
    engine.handle(put_request(key, scene()))
    unstated = upload_request(authorized, scene(), success_action_status="200")
    engine.handle(unstated)
    return engine.handle(upload_request(authorized, scene()))


def calls_of_databases():
    """Return the calls of `scenarios` about face databases, and DetectFace."""
    link = "https://faces.example/a.png"
    default = {"DbName": "default"}
    ada = {**default, "EntityId": "ada"}
    search = {**default, "Limit": 1, "ImageUrl": link}
    return (
        control_request("pictures", {"name": link, "card": "p1"}),
        signed_request({"Name": "default"}, "CreateFaceDb"),
        signed_request(ada, "AddFaceEntity"),
        *[signed_request({**ada, "ImageUrl": link}, "AddFace") for _ in range(6)],
        signed_request(search, "SearchFace"),
        signed_request({**search, "Limit": "many"}, "SearchFace"),
        signed_request({**search, "DbNames": ",".join(["default"] * 21)}, "SearchFace"),
        signed_request({"ImageURL": link}, "DetectFace"),
    )


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        compare_request(fields={"QualityScoreThreshold": "much"}),
        signed_request({}, "DetectLivingFace"),
        compare_request(False, fields={"ImageURLA": "https://faces.example/脸.jpg"}),
        liveness_request(),
        liveness_request(scene(faces=0)),
        liveness_request(fields={"Tasks.2.ImageURL": "https://faces.example/a.jpg"}),
        liveness_request(b"x" * TOO_LARGE["DetectLivingFace"]),
        compare_request(scene(faces=0)),
        compare_request(b"no picture"),
        compare_request(fields={"ImageDataA": "not base64!"}),
        compare_request(False, fields={"ImageURLA": "https://faces.example/a.jpg"}),
        compare_request(False),
        compare_request(draw_picture("GIF")),
        compare_request(draw_picture(size=(31, 200))),
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
        *beyond_limit_and_credit(compare_request),
    )
    p1 = make_card("p1")
    return [
        Scenario("alibaba", (upload, *calls_of_databases()), recognizer=Recognizer()),
        Scenario("alibaba", calls, {"price": "0.01"}),
        Scenario("alibaba", (compare_request(p1, p1),), recognizer=Recognizer()),
    ]


# The simulators of Alibaba Cloud's facebody: the mock server, and the documented answers.

SIMULATOR_KEY_ID = "LTAIexample00000000000000"
SIMULATOR_KEY_SECRET = "dummySecretKey0000000000000000"
SIMULATOR_TOKEN = "simulator-token-of-a-temporary-key-5d1c"
KEYS = {"access_key_id": SIMULATOR_KEY_ID, "access_key_secret": SIMULATOR_KEY_SECRET}
PICTURES = {"ImageDataA": "probe", "ImageDataB": "reference", "Tasks.1.ImageData": "probe"}
NEVER = {
    Situation.TWO_FACES: "Alibaba's answer to a comparison has no number of faces.",
    Situation.SMALLER_FACE_MATCHES: "Alibaba scores only the largest face.",
}


def refusal(code):
    return {
        "RequestId": "4F1B0E0C-9A0E-5C0B-9E6A-0B8B1C2D3E4F",
        "HostId": "facebody.cn-shanghai.aliyuncs.com",
        "Code": code,
        "Message": "The message is not documented.",
        "Recommend": "",
    }


class AlibabaSimulator(MockSimulator):
    vendor = "alibaba"
    calls = frozenset({"/"})
    client = SIMULATOR_KEY_ID
    secrets = (SIMULATOR_KEY_SECRET, SIMULATOR_KEY_ID)
    keys = KEYS
    faults = {
        Situation.REJECTED: Fault(
            stage="answer", kind="json", status=400, body=refusal("InvalidFile.Content")
        ),
        Situation.OUTAGE: Fault(
            stage="answer", kind="json", status=500, body=refusal("InternalError")
        ),
    }
    cannot_happen = {Situation.TWO_FACES: NEVER[Situation.TWO_FACES]}
    switches = {"price": "0.01"}
    scope = "second"

    def alter(self, request, body):
        if "Confidence" in body["Data"]:
            self.put_score(body["Data"], "Confidence")
        else:
            (element,) = body["Data"]["Elements"]
            (result,) = element["Results"]
            self.put_score(result, "Rate")
        return body

    def understand(self, request):
        fields = request.fields
        return {
            name: base64.b64decode(fields[key]) for key, name in PICTURES.items() if key in fields
        }


class AlibabaWithEverySetting(AlibabaSimulator):
    """Takes a temporary key, and asks for good pictures."""

    secrets = (*AlibabaSimulator.secrets, SIMULATOR_TOKEN)
    keys = {**KEYS, "security_token": SIMULATOR_TOKEN, "quality_threshold": 60.0}

    def accepts(self, request):
        is_comparison = request.headers["x-acs-action"] == "CompareFace"
        asks = request.fields.get("QualityScoreThreshold") == "60"
        has_token = request.headers["x-acs-security-token"] == SIMULATOR_TOKEN
        return has_token and asks is is_comparison


def compared(confidence, tips=""):
    return {
        "RequestId": "",
        "Data": {
            "Confidence": confidence,
            "Thresholds": [61, 69, 75],
            "RectAList": [120, 90, 240, 250],
            "RectBList": [20, 30, 200, 210],
            "LandmarksAList": [180, 170, 300, 170, 240, 220, 190, 280, 290, 280],
            "LandmarksBList": [70, 100, 170, 100, 120, 140, 80, 190, 160, 190],
            "QualityScoreA": 96.1,
            "QualityScoreB": 94.7,
            "IsMaskA": 0,
            "IsMaskB": 0,
            "MessageTips": tips,
        },
    }


def judged(label, suggestion, rate, face_count=1):
    result = {"Label": label, "Suggestion": suggestion, "Rate": rate}
    element = {"TaskId": "t-1", "FaceNumber": face_count, "Results": [result]}
    return {"RequestId": "", "Data": {"Elements": [element]}}


NO, UNKNOWN = fm.Charged.NO, fm.Charged.UNKNOWN
#: The codes of Alibaba's pages and of others' questions, with their statuses, by error and charge.
CODES = {
    (fm.AuthenticationFailed, NO): {
        "InvalidAccessKeyId.NotFound": 404,
        "InvalidAccessKeyId.Inactive": 400,
        "InvalidAccessKeySecret": 400,
        "IncompleteSignature": 400,
        "SignatureDoesNotMatch": 400,
        "InvalidTimeStamp.Expired": 400,
    },
    (fm.PermissionDenied, NO): {
        "AuthFailed": 403,
        "EntityNotExist.Role": 400,
        "InvalidApi.NotPurchase": 403,
        "InvalidApi.OutOfService": 400,
    },
    (fm.InsufficientCredit, NO): {"InsufficientBalance": 400, "InvalidApi.ForbiddenInvoke": 400},
    (fm.RateLimited, NO): {"Throttling": 400, "Throttling.User": 400},
    (fm.RequestRejected, NO): {
        "ClientError.IllegalArgument": 400,
        "IllegalUrlParameter": 400,
        "InvalidAction.NotFound": 400,
        "InvalidFile.Content": 400,
        "InvalidFile.Decode": 400,
        "InvalidFile.Download": 400,
        "InvalidImage.DecodeError": 400,
        "InvalidImage.Format": 400,
        "InvalidImage.Resolution": 400,
        "InvalidImage.URL": 400,
        "InvalidParameter.TooLarge": 400,
        "ParameterError": 400,
        # A code that no table has.
        "InvalidImage.Unheard": 400,
    },
    (fm.OutcomeUnknown, UNKNOWN): {
        # A copy of the request came before it, and may have been charged.
        "SignatureNonceUsed": 400,
        "InternalError": 500,
        "InternalError.Algo": 500,
        "InternalError.Timeout": 500,
        "InternalError.Unheard": 500,
    },
}


def list_refusals():
    no_face = refusal("InvalidImage.NotFoundFace")
    refusals = [Refusal(body=no_face, status=404, error=None, charged=NO)]
    for (error, charged), codes in CODES.items():
        for code, status in codes.items():
            refusals.append(
                Refusal(body=refusal(code), status=status, error=error, charged=charged)
            )
    return tuple(refusals)


def list_verdicts():
    """Return an answer of each further label, suggestion and tip; a new word is a review."""
    small, bad = "face in imageA is too small", "imageB quality score less threshold"
    listed = [
        Verdict(body=compared(93.5, small), decision=fm.Decision.MATCH),
        Verdict(body=compared(93.5, bad), decision=fm.Decision.REVIEW),
        Verdict(body=compared(93.5, f"{small},{bad}"), decision=fm.Decision.REVIEW),
        # Of a picture without a face.
        Verdict(
            body=judged("liveness", "block", 99.2, face_count=0),
            decision=fm.LivenessDecision.INCONCLUSIVE,
        ),
    ]
    for label, suggestion in (
        ("normal", "review"),
        ("normal", "block"),
        ("liveness", "review"),
        ("liveness", "pass"),
        ("a-new-label", "pass"),
        ("normal", "a-new-word"),
    ):
        body = judged(label, suggestion, 99.2)
        listed.append(Verdict(body=body, decision=fm.LivenessDecision.REVIEW))
    return tuple(listed)


class DocumentedAlibaba(PairSimulator):
    """Answers to both calls. It looks at no signature: the mock does."""

    backend_class = AlibabaBackend
    settings = KEYS
    picture_names = PICTURES
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.BMP, ImageFormat.WEBP},
        min_side_px=32,
        max_side_px=4096,
        max_bytes=3 * 1024 * 1024 * 3 // 4,
    )
    secrets = (SIMULATOR_KEY_SECRET, SIMULATOR_KEY_ID)
    faces = {
        "probe": [Box(left=120, top=90, right=360, bottom=340)],
        "reference": [Box(left=20, top=30, right=220, bottom=240)],
    }
    same_person = compared(93.5)
    different_people = compared(3.5)
    documented_capabilities = {"threshold_rule": ThresholdRule.ABOVE}
    #: For the rate 1e-5, the default of the backend.
    vendor_thresholds = {fm.Operation.MATCH: 75.0}
    score_path = ("Data", "Confidence")
    id_path = ("RequestId",)
    answers = {
        Situation.LIVE: (200, judged("normal", "pass", 99.2)),
        Situation.SPOOF: (200, judged("liveness", "block", 98.1)),
        Situation.BAD_KEY: (404, refusal("InvalidAccessKeyId.NotFound")),
        Situation.NO_CREDIT: (400, refusal("InvalidApi.ForbiddenInvoke")),
        Situation.THROTTLED: (400, refusal("Throttling.User")),
        Situation.REJECTED: (400, refusal("InvalidImage.Resolution")),
        Situation.OUTAGE: (500, refusal("InternalError")),
        Situation.NO_FACE: (404, refusal("InvalidImage.NotFoundFace")),
    }
    refusals = list_refusals()
    verdicts = list_verdicts()
    cannot_happen = NEVER

    def accepts(self, request):
        return request.headers["Authorization"].startswith("ACS3-HMAC-SHA256 ")

    def constants_for(self, request):
        actions = {"CompareFace": "ImageDataA", "DetectLivingFace": "Tasks.1.ImageData"}
        action = request.headers["x-acs-action"]
        if actions.get(action) in request.fields:
            return {"x-acs-version": "2019-12-30"}
        return {"x-acs-action": " or ".join(actions)}
