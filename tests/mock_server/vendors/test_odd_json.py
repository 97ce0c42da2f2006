"""JSON bodies that are no object, or whose values have other types than the vendor documents."""

import functools
import re

import pytest
from kit.mock_world import control_of, new_engine, request_to
from kit.of_vendors import of_vendors
from vendors import (
    alibaba,
    baidu,
    compreface,
    deepface,
    deepvue,
    onfido,
    persona,
    rekognition,
    sumsub,
    tencent,
    veriff,
)

from facematch_mock_server.vendors import vendor_names

ODD_BODIES = [
    "[]",
    "[1]",
    "[{}]",
    '"text"',
    "1",
    "1e400",
    "null",
    "true",
    "{",
    "",
    "NaN",
    "\ud800",
    "[" * 100_000,
]
ODD_VALUES = ["[]", "{}", "1", "1e400", "null", '"x"', "true", "[{}]", '"\\ud800"']
#: Fields of the bodies that the vendors document, by vendor.
FIELDS = {
    **of_vendors("JSON_FIELDS"),
    # It takes no JSON.
    "alibaba": [],
    "azure": ["faceId1", "faceId2", "livenessOperationMode", "deviceCorrelationId"],
    "baidu": ["image", "image_type"],
    "compreface": ["source_image", "target_image"],
    "deepface": ["img1", "img2", "img", "model_name", "anti_spoofing", "max_faces"],
    "deepvue": ["client_id", "client_secret", "file_1", "image"],
    "didit": ["workflow_id", "vendor_data", "metadata", "portrait_image", "new_status"],
    # It takes no JSON.
    "onfido": ["applicant_id", "workflow_id", "tags", "link", "first_name", "url", "events"],
    "persona": ["data", "meta"],
    "regula": ["images", "tag"],
    "rekognition": ["SourceImage", "TargetImage", "Image", "SessionId", "Attributes", "Settings"],
    # It takes no JSON.
    "stripe": [],
    "sumsub": ["externalUserId", "userId", "levelName", "ttlInSecs", "redirect", "rejectLabels"],
    "tencent": [
        *("ImageA", "UrlB", "Image", "FaceModelVersion", "FaceMatchingStrategy", "QualityControl"),
        *("GroupId", "PersonId", "GroupIds", "Images", "FaceMatchThreshold", "GroupExDescriptions"),
    ],
}
AWS_OPERATIONS = [
    "CompareFaces",
    "DetectFaces",
    "CreateFaceLivenessSession",
    "GetFaceLivenessSessionResults",
]
AUTHORIZATIONS = {
    "baidu": baidu.BEARER,
    "deepface": f"Bearer {deepface.TOKEN}",
    "onfido": f"Token token={onfido.LIVE_TOKEN}",
    "persona": f"Bearer {persona.LIVE}",
}


def list_calls(engine, vendor):
    """Return for each call of a vendor a function that makes a request from a body, with a key."""
    if vendor == "rekognition":
        signed = rekognition.signed_request
        return [functools.partial(signed, operation=name) for name in AWS_OPERATIONS]
    if vendor in ("alibaba", "tencent"):
        signed = {"alibaba": alibaba, "tencent": tencent}[vendor].signed_request
        endpoints = engine.world.behaviour.endpoints
        return [functools.partial(signed, action=endpoint.action) for endpoint in endpoints]
    about = {"ocp_apim_subscription_key": "mock-live-key", "client_id": deepvue.CLIENT}
    about["key"] = compreface.KEY if vendor == "compreface" else "mock-live-key"
    if vendor == "deepvue":
        about["authorization"] = f"Bearer {deepvue.token_of(engine)}"
    elif vendor in AUTHORIZATIONS:
        about["authorization"] = AUTHORIZATIONS[vendor]

    def send(method, path, body):
        return request_to(path, body, "application/json", method=method, **about)

    make = {"sumsub": sumsub.signed, "veriff": veriff.request}.get(vendor, send)
    calls = []
    for route in engine.world.behaviour.routes:
        path = re.sub(r"\{\w+\}", "00000000-0000-4000-8000-000000000000", route.pattern)
        for method in set(route.handlers) - {"GET"}:
            calls.append(functools.partial(make, method, path))
    return calls


def list_bodies(vendor):
    bodies = list(ODD_BODIES)
    for name in FIELDS[vendor]:
        bodies += [f'{{"{name}": {value}}}' for value in ODD_VALUES]
    return [body.encode(errors="surrogatepass") for body in bodies]


@pytest.mark.parametrize("vendor", vendor_names())
def test_odd_json_never_makes_the_mock_fail(vendor):
    engine = new_engine(vendor=vendor)
    control = control_of(engine)
    control.set_limits(dict.fromkeys(control.limits()))
    claims = set()
    for call in list_calls(engine, vendor):
        for body in list_bodies(vendor):
            answer = engine.handle(call(body))
            assert answer.status < 500, body
            claims.add(answer.claims)
    # The bodies were read: not every call was refused for its key.
    assert len(claims) > 1 or not FIELDS[vendor]
