"""Requests to DeepFace's server as clients send them."""

import base64

import attrs
from kit import mock_didit as didit
from kit import mock_rekognition as rekognition
from kit.mock_didit import json_bytes, multipart, scene
from kit.scenario import Scenario, answer_with_fault

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


def compare_embeddings(engine):
    """Compare the embedding of a face with itself."""
    body = engine.handle(represent_request()).json()
    embedding = body["results"][0]["embedding"]
    return engine.handle(verify_request(embedding, embedding))


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        analyze_request(),
        analyze_request(actions=["mood"]),
        represent_request(scene(faces=0), enforce_detection=False),
        request_of_type(
            "application/json", b'{"img1_path": "/srv/ada.png", "img2": "data:image/png;base64,"}'
        ),
        verify_request(scene(faces=2)),
        verify_request(scene(attack=True), anti_spoofing=True),
        verify_request(scene(faces=0)),
        verify_request(b"no picture"),
        verify_request(rekognition.draw_picture("WEBP")),
        verify_request(img2=None),
        verify_request(img2="/etc/hosts"),
        verify_request(model_name="Nope"),
        verify_request(distance_metric="manhattan"),
        verify_request(token=None),
        verify_request(token="wrong"),
        request_of_type("text/plain", b"img1"),
        request_of_type("multipart/form-data", b"img1"),
        request_of_type("application/json", b"{"),
        verify_request(img1=[0.5]),
        verify_request(img1=["0.5"]),
        verify_request(img1=[0.5] * 4096),
        represent_request(),
        compare_embeddings,
        represent_request(scene(attack=True), anti_spoofing=True),
        represent_request(scene(faces=0)),
        represent_request(b"no picture"),
        represent_request(rekognition.draw_picture("WEBP")),
        represent_request(model_name="Nope"),
        represent_request("/etc/hosts"),
        attrs.evolve(verify_request(), method="GET"),
        answer_with_fault(500, verify_request()),
    )
    return [
        Scenario("deepface", calls, {"auth": "token"}),
        Scenario("deepface", calls, {"auth": "none"}),
    ]
