"""Canaries: values that may turn up nowhere, every way of writing them down, and the search.

A canary is a key, a piece of a picture, a token: something that a test gives to facematch, or gets
from a vendor, and then looks for in everything that could be printed or kept.
"""

import base64
import functools
import io
import json
import urllib.parse

from PIL import Image as Pillow
from PIL import PngImagePlugin

from facematch_core import Image, ImageFormat
from facematch_core.backend import ImageLimits
from facematch_core.testing import noise, picture_samples
from facematch_core.testing.leaks import find_forms, layers

API_KEY = "canary-key-5e3f9a77c1"
CLIENT_ID = "canary-client-19d0e8b2"
CLIENT_SECRET = "canary-client-secret-8c41f7"
PASSWORD = "Canary-passw0rd+77!"
WEBHOOK_SECRET = "canary-webhook-secret-2b90"
MEDIA = "https://media.example/canary-face-31c7/source.jpg?X-Amz-Signature=c4a7d96b"
#: Written into the pictures as they are given, and taken out before they are sent.
HIDDEN = "canary-gps-48.8584N-2.2945E"
#: What the caller wants to find again: it belongs into results, and into nothing else.
CALLER_REF = "canary-customer-0f71"
METADATA = {"branch": "canary-branch-6a2d"}

#: A different picture for each, of nobody.
SIDE_PX = 96

#: What vendors take, as far as they all do.
SENT = ImageLimits(formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}), max_bytes=5_000_000)


@functools.cache
def probe():
    """A TIFF, which is never sent as it is, with a description."""
    tags = Pillow.Exif()
    tags[270] = HIDDEN
    with Pillow.open(io.BytesIO(noise(7, (SIDE_PX, SIDE_PX)).data)) as opened:
        buffer = io.BytesIO()
        opened.save(buffer, "TIFF", exif=tags)
    assert HIDDEN.encode() in buffer.getvalue()
    return Image.from_bytes(buffer.getvalue())


@functools.cache
def reference():
    """A PNG with a text in it."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", HIDDEN)
    with Pillow.open(io.BytesIO(noise(8, (SIDE_PX, SIDE_PX)).data)) as opened:
        buffer = io.BytesIO()
        opened.save(buffer, "PNG", pnginfo=text, compress_level=0)
    assert HIDDEN.encode() in buffer.getvalue()
    return Image.from_bytes(buffer.getvalue())


@functools.cache
def pieces(limits=SENT):
    """Pieces of both pictures as they are given, and as a vendor with these limits gets them."""
    found = {"metadata of the pictures": (HIDDEN.encode(),)}
    for name, image in (("probe", probe()), ("reference", reference())):
        found[f"{name} as given"] = picture_samples(image)
        found[f"{name} as sent"] = picture_samples(image.prepared(limits))
    assert all(found.values())
    return found


def canaries(limits=SENT):
    """Every canary of a call by name, as pieces of bytes."""
    words = {
        "API key": API_KEY,
        "client id": CLIENT_ID,
        "client secret": CLIENT_SECRET,
        "password": PASSWORD,
        "webhook secret": WEBHOOK_SECRET,
        "media address": MEDIA,
        "picture in a media address": "canary-face-31c7",
    }
    return {name: (word.encode(),) for name, word in words.items()} | pieces(limits)


#: Each way of writing bytes down, inside of some longer text.
ENCODINGS = {
    "raw": lambda b: f"before {b.decode('latin-1')} after",
    "repr": lambda b: repr(b"x" + b),
    "repr of text": lambda b: repr("x" + b.decode("latin-1")),
    "JSON": lambda b: json.dumps("x" + b.decode("latin-1")),
    "hex": lambda b: (b"x" + b).hex(),
    "HEX": lambda b: (b"x" + b).hex().upper(),
    "base64, offset 0": lambda b: base64.b64encode(b + b"after").decode(),
    "base64, offset 1": lambda b: base64.b64encode(b"x" + b + b"after").decode(),
    "base64, offset 2": lambda b: base64.b64encode(b"xy" + b + b"after").decode(),
    "base64url, offset 0": lambda b: base64.urlsafe_b64encode(b + b"after").decode(),
    "base64url, offset 1": lambda b: base64.urlsafe_b64encode(b"x" + b + b"after").decode(),
    "base64url, offset 2": lambda b: base64.urlsafe_b64encode(b"xy" + b + b"after").decode(),
    "URL": lambda b: urllib.parse.quote_from_bytes(b"x" + b, safe=""),
    "URL form": lambda b: urllib.parse.urlencode({"x": b}),
}


def leaks(texts, secrets):
    """Which secrets are found in which texts, and how they are written there: {} for none.

    Args:
        texts: By name, bytes or text.
        secrets: By name, pieces of each.
    """
    hay = {place: tuple(layers(text)) for place, text in texts.items()}
    return {
        (place, name): forms
        for name, parts in secrets.items()
        for place, written in hay.items()
        if (forms := sorted({form for part in parts for form in find_forms(part, written)}))
    }
