"""Requests to Face++ as clients send them."""

from urllib.parse import urlencode

from kit import mock_didit as didit
from kit.mock_didit import multipart, scene

from facematch_mock_server.vendors.facepp.vendor import API_KEY, DETECT, PATH, SECRET

KEYS = {"api_key": API_KEY, "api_secret": SECRET}


def compare_request(image_file1=None, image_file2=None, *, keys=KEYS, path=PATH, **fields):
    """A comparison of two files; a file that is False is left out."""
    files = []
    for name, content in (("image_file1", image_file1), ("image_file2", image_file2)):
        if content is not False:
            files.append((name, "a.jpg", scene() if content is None else content))
    sent = multipart({**keys, **fields}.items(), files)
    return didit.didit_request(path, *sent, key=None)


def detect_request(image_file=None, **fields):
    """A search for faces in a file; a file that is False is left out."""
    files = []
    if image_file is not False:
        files.append(("image_file", "a.jpg", scene() if image_file is None else image_file))
    sent = multipart({**KEYS, **fields}.items(), files)
    return didit.didit_request(DETECT, *sent, key=None)


def detect_by_query(body=b"", **fields):
    """A search for faces whose fields stand in the query, as jQuery sends it without data."""
    sent = {name: text for name, text in {**KEYS, **fields}.items() if text is not None}
    kind = "application/x-www-form-urlencoded"
    return didit.didit_request(f"{DETECT}?{urlencode(sent)}", body, kind, key=None)


def request_of_type(kind, body=b"api_key=1"):
    return didit.didit_request(PATH, body, kind, key=None)
