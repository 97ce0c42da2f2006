"""Requests to DeepFace's server as clients send them."""

import base64

import attrs
from kit import mock_didit as didit
from kit.mock_didit import json_bytes, multipart, scene

from facematch_mock_server.vendors.deepface.vendor import ANALYZE, REPRESENT, TOKEN, VERIFY


def data_uri(picture):
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def verify_request(img1=b"", img2=b"", *, token=TOKEN, **options):
    """A comparison; a picture that is bytes is sent as a data URI, and one that is None is not."""
    body = dict(options)
    for name, picture in (("img1", img1), ("img2", img2)):
        if isinstance(picture, bytes):
            body[name] = data_uri(picture or scene())
        elif picture is not None:
            body[name] = picture
    return request_of_type("application/json", json_bytes(body), token=token)


def form_request(*pictures, **options):
    """A comparison of files."""
    files = []
    for name, picture in zip(("img1", "img2"), pictures, strict=True):
        files.append((name, "a.png", picture))
    body, kind = multipart(options.items(), files)
    return request_of_type(kind, body)


def represent_request(img=b"", *, token=TOKEN, **options):
    """A request for the faces of a picture."""
    body = {**options, "img": data_uri(img or scene()) if isinstance(img, bytes) else img}
    return request_of_type("application/json", json_bytes(body), token=token, path=REPRESENT)


def analyze_request(img=b"", *, token=TOKEN, **options):
    """A request for what a picture tells of its faces."""
    body = {**options, "img": data_uri(img or scene()) if isinstance(img, bytes) else img}
    return request_of_type("application/json", json_bytes(body), token=token, path=ANALYZE)


def request_of_type(kind, body, *, token=TOKEN, path=VERIFY):
    request = didit.didit_request(path, body, kind, key=None)
    if token is None:
        return request
    return attrs.evolve(request, headers=(*request.headers, ("authorization", f"Bearer {token}")))
