"""Requests to CompreFace as clients send them."""

import base64
import json

from kit import mock_didit as didit
from kit.mock_didit import multipart, picture

from facematch_mock_server.vendors.compreface.vendor import KEY

PATH = "/api/v1/verification/verify"
UUID = "5b8a4d2e-7c1f-4e0a-9d63-2f1c8b7a6e05"


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
    return didit.request(PATH, body, kind, key=key)
