"""Requests to Regula's web service as clients send them."""

import base64

import attrs
from kit import mock_didit as didit
from kit.mock_didit import control_request, scene
from kit.scenario import Scenario, answer_with_fault

from facematch_mock_server.vendors.regula.vendor import DETECT, PATH


def match_request(probe=None, reference=None, *, detect_all=True, **more):
    """A comparison; a picture that is False is left out."""
    images = []
    for picture in (probe, reference):
        if picture is not False:
            data = base64.b64encode(scene() if picture is None else picture).decode()
            images.append({"data": data, "type": 3, "detectAll": detect_all, **more})
    return request_with({"images": images})


def match_all(*pictures):
    """A comparison of any number of pictures."""
    images = []
    for index, picture in enumerate(pictures, 1):
        images.append({"data": base64.b64encode(picture).decode(), "type": 3, "index": index})
    return request_with({"images": images})


def detect_request(picture=None, **options):
    data = base64.b64encode(scene() if picture is None else picture).decode()
    return request_with({"image": data, "processParam": options}, DETECT)


def request_with(body, path=PATH):
    return didit.json_request(path, body, key=None)


def get_request(path):
    return attrs.evolve(request_with({}, path), method="GET", body=b"")


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        match_request(scene(faces=2), scene(faces=2)),
        match_request(scene(faces=2), detect_all=False),
        match_request(scene(faces=0)),
        match_request(b"no picture"),
        match_request(reference=False),
        request_with({"images": [{"data": "not base64!"}, {"data": "AAAA"}]}),
        attrs.evolve(match_request(), body=b"{"),
        detect_request(),
        request_with({}, path="/api/detect"),
        match_all(scene(), scene(), scene(faces=0)),
        get_request("/api/healthz"),
        get_request("/api/readyz"),
        get_request("/api/match"),
        answer_with_fault(400, match_request()),
        answer_with_fault(403, match_request()),
        answer_with_fault(500, match_request()),
        control_request("ledger/balance", {"balance": "0"}),
        match_request(),
    )
    return [
        Scenario("regula", calls, {"price": "0.01"}),
    ]
