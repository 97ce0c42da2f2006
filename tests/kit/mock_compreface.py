"""Requests to CompreFace as clients send them, and a suite for its claims."""

import base64
import json

import attrs
from kit import mock_didit as didit
from kit.mock_didit import control, multipart, picture

from facematch_mock_server.vendors.compreface.vendor import KEY

PATH = "/api/v1/verification/verify"
UUID = "5b8a4d2e-7c1f-4e0a-9d63-2f1c8b7a6e05"
SETTINGS = ({"vendor": "compreface"},)


def verify(source=None, target=None, *, key=KEY, query="", names=("a.jpg", "b.png")):
    """A comparison; a picture that is False is left out."""
    pictures = [picture() if one is None else one for one in (source, target)]
    files = [
        (field, name, content)
        for field, name, content in zip(
            ("source_image", "target_image"), names, pictures, strict=True
        )
        if content is not False
    ]
    return didit.request(f"{PATH}{query}", *multipart(files=files), key=key)


def in_json(query="", **more):
    """The same with both pictures in Base64, and fields over them; one that is None is left out."""
    text = base64.b64encode(picture()).decode()
    fields = {"source_image": text, "target_image": text, **more}
    body = json.dumps({name: value for name, value in fields.items() if value is not None})
    return didit.request(f"{PATH}{query}", body.encode(), "application/json", key=KEY)


def of_type(kind, body=b"source_image=1", key=KEY):
    """A body of another type."""
    return didit.request(PATH, body, kind, key=key)


SCENARIOS = {
    "verify": (
        verify(),
        verify(picture(score=12.3456789)),
        verify(query="?status=true"),
        verify(query="?status=True&face_plugins=age,gender,landmarks,mask,pose,calculator,beard"),
        verify(query="?det_prob_threshold=0.8"),
        verify(query="?det_prob_threshold=1"),
        in_json(),
        verify(target=picture(faces=3)),
        verify(picture(faces=2)),
        verify(picture(faces=2), picture(faces=3), query="?limit=1"),
        verify(picture(faces=0)),
        verify(target=picture(faces=0)),
        verify(b"no picture"),
    ),
    "refused": (
        verify(key=None),
        verify(key="wrong"),
        verify(key=UUID),
        control("keys", {"key": UUID}),
        verify(key=UUID),
        verify(source=False),
        verify(target=False),
        verify(names=("a.jpg", "b.heic")),
        verify(b"x" * (5 * 1024 * 1024 + 1)),
        verify(query="?limit=all"),
        verify(query="?limit=-1"),
        verify(query="?status=maybe"),
        verify(query="?det_prob_threshold=high"),
        in_json(source_image=None),
        in_json(target_image="data:image/png;base64,AAAA"),
        attrs.evolve(in_json(), body=b"["),
        attrs.evolve(verify(), method="PUT"),
        of_type("text/plain"),
        of_type("multipart/form-data"),
        of_type("application/json", b" " * (10 * 1024 * 1024 + 1)),
    ),
    "faults": tuple(didit.struck(status, verify()) for status in (400, 500, 503)),
}
