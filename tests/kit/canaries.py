"""Canaries: values that may turn up nowhere, every way of writing them down, and the search.

A canary is a key, a piece of a picture, a token: something that a test gives to facematch, or gets
from a vendor, and then looks for in everything that could be printed or kept.
"""

import functools
import io
import itertools

from PIL import Image as Pillow
from PIL import PngImagePlugin

from facematch_core import Image
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.testing import noise, picture_samples
from facematch_core.testing.leaks import find_encodings, unescaped_forms

API_KEY = "canary-key-5e3f9a77c1"
CLIENT_ID = "canary-client-19d0e8b2"
CLIENT_SECRET = "canary-client-secret-8c41f7"
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


def _hidden(number, kind, **options):
    with Pillow.open(io.BytesIO(noise(number, (SIDE_PX, SIDE_PX)).data)) as opened:
        buffer = io.BytesIO()
        opened.save(buffer, kind, **options)
    assert HIDDEN.encode() in buffer.getvalue()
    return Image.from_bytes(buffer.getvalue())


@functools.cache
def probe():
    tags = Pillow.Exif()
    tags[270] = HIDDEN
    return _hidden(7, "TIFF", exif=tags)


@functools.cache
def reference():
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", HIDDEN)
    return _hidden(8, "PNG", pnginfo=text, compress_level=0)


@functools.cache
def pieces(limits=SENT):
    samples = {"metadata of the pictures": (HIDDEN.encode(),)}
    for name, image in (("probe", probe()), ("reference", reference())):
        samples[f"{name} as given"] = picture_samples(image)
        samples[f"{name} as sent"] = picture_samples(image.prepared(limits))
    assert all(samples.values())
    return samples


def canaries(limits=SENT):
    texts = {
        "API key": API_KEY,
        "client id": CLIENT_ID,
        "client secret": CLIENT_SECRET,
        "webhook secret": WEBHOOK_SECRET,
        "media address": MEDIA,
        "picture in a media address": "canary-face-31c7",
    }
    secrets = {name: (text.encode(),) for name, text in texts.items()}
    return secrets | pieces(limits)


def leaks(texts, secrets):
    """Return the encodings in which each secret is found, by the names of text and secret."""
    # Most texts have nothing to unescape, so they have one form.
    forms_by_text = {
        name: list(dict.fromkeys(unescaped_forms(text))) for name, text in texts.items()
    }
    all_forms = b"\n".join(itertools.chain.from_iterable(forms_by_text.values()))
    found = {}
    for secret_name, parts in secrets.items():
        # Most secrets are in no text, which one look at all of them shows.
        if not _encodings_in(parts, [all_forms]):
            continue
        for text_name, forms_of_text in forms_by_text.items():
            encodings = _encodings_in(parts, forms_of_text)
            if encodings:
                found[text_name, secret_name] = encodings
    return found


def _encodings_in(parts, forms):
    encodings = set()
    for part in parts:
        encodings |= set(find_encodings(part, forms))
    return sorted(encodings)
