"""JSON bodies that are no object, or whose values have other types than the vendor documents."""

import re

import pytest
import requests
from kit.mock_sumsub import sumsub_auth

from facematch_mock_server import MockServer
from facematch_mock_server.base.messages import Request
from facematch_mock_server.vendors import vendor_names

ODD_BODIES = ["[]", "[1]", "[{}]", '"text"', "1", "1e400", "null", "true", "{", "", "NaN", "\ud800"]
ODD_VALUES = ["[]", "{}", "1", "null", '"x"', "true", "[{}]", '"\\ud800"']
#: Fields of the bodies that the vendors document, by vendor.
FIELDS = {
    "azure": ["faceId1", "faceId2", "livenessOperationMode", "deviceCorrelationId"],
    "compreface": ["source_image", "target_image"],
    "deepface": ["img1", "img2"],
    "deepvue": ["client_id", "client_secret", "file_1", "image"],
    "didit": ["workflow_id", "vendor_data", "metadata", "portrait_image", "new_status"],
    "onfido": ["applicant_id", "workflow_id", "tags", "link", "first_name", "url", "events"],
    "persona": ["data", "meta"],
    "regula": ["images", "tag"],
    "sumsub": ["externalUserId", "userId", "levelName", "ttlInSecs", "redirect", "rejectLabels"],
    "veriff": ["verification"],
    "rekognition": ["SourceImage", "TargetImage", "Image", "SessionId", "Settings", "Attributes"],
}
ACTIONS = ["CompareFaces", "DetectFaces", "CreateFaceLivenessSession"]
SCOPE = "20261128/us-east-1/rekognition/aws4_request"


def list_headers(mock, vendor):
    """Return the headers of a call with a valid key; one set for each action of Rekognition."""
    if vendor == "rekognition":
        signature = f"AWS4-HMAC-SHA256 Credential={mock.client_id}/{SCOPE}, SignedHeaders=host"
        return [
            {
                "Authorization": f"{signature}, Signature=0",
                "X-Amz-Target": f"RekognitionService.{action}",
                "Content-Type": "application/x-amz-json-1.1",
            }
            for action in ACTIONS
        ]
    headers = {"Content-Type": "application/json", "x-api-key": mock.live_key}
    headers["Ocp-Apim-Subscription-Key"] = mock.live_key
    if vendor == "veriff":
        headers["X-AUTH-CLIENT"] = mock.client_id
    if vendor in ("deepface", "persona"):
        headers["Authorization"] = f"Bearer {mock.live_key}"
    if vendor == "onfido":
        headers["Authorization"] = f"Token token={mock.live_key}"
    if vendor == "deepvue":
        login = {"client_id": mock.client_id, "client_secret": mock.live_key}
        answer = requests.post(f"{mock.url}/v1/authorize", data=login, timeout=10).json()
        headers |= {"Authorization": f"Bearer {answer['access_token']}"}
        headers |= {"x-api-key": mock.live_key, "client-id": mock.client_id}
    return [headers]


def list_bodies(vendor):
    values = [f'{{"{name}": {value}}}' for name in FIELDS.get(vendor, ()) for value in ODD_VALUES]
    return [body.encode(errors="surrogatepass") for body in ODD_BODIES + values]


def as_received(request):
    """Return a request of requests as the mock receives it: thousands go without a socket."""
    about = {"method": request.method, "target": request.path_url, "body": request.body or b""}
    return Request.make(headers=request.headers.items(), **about)


@pytest.mark.parametrize("vendor", vendor_names())
def test_odd_json_never_makes_the_mock_fail(vendor):
    with MockServer(vendor=vendor) as mock, requests.Session() as session:
        for scope in ("write", "post", "request", "inquiry"):
            if scope in mock.control.limits():
                mock.control.set_limit(scope, None)
        if vendor == "sumsub":
            session.auth = sumsub_auth
        statuses = set()
        for headers in list_headers(mock, vendor):
            for route in mock.world.behaviour.routes:
                path = re.sub(r"\{\w+\}", "00000000-0000-4000-8000-000000000000", route.pattern)
                for method in set(route.handlers) - {"GET"}:
                    for body in list_bodies(vendor):
                        about = {"headers": {"Host": "localhost", **headers}, "data": body}
                        sent = requests.Request(method, mock.url + path, **about)
                        answer = mock.app.handle(as_received(session.prepare_request(sent)))
                        assert answer.status < 500, (method, path, body)
                        statuses.add(answer.status)
        # The bodies were read: not every call was refused for its key or its path.
        assert statuses - {401, 403, 404}


@pytest.mark.parametrize(
    "body", [b"[]", b'["source_image", "target_image"]', b'"x"', b"1", b"null"]
)
def test_compreface_refuses_json_that_is_no_object(body):
    with MockServer(vendor="compreface") as mock:
        headers = {"x-api-key": mock.live_key, "Content-Type": "application/json"}
        url = f"{mock.url}/api/v1/verification/verify"
        assert requests.post(url, headers=headers, data=body, timeout=10).status_code == 400
