"""Requests to Regula's web service as clients send them."""

import base64

import attrs
from kit import mock_didit as didit
from kit.mock_didit import scene

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
