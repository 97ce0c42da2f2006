"""Which claims an answer about a picture names, and what claims and hints say."""

import io

import pytest
import requests
from kit.mock_didit import MATCH_PATH
from PIL import Image

from facematch_mock_server import MockServer, card_sheet

P1 = card_sheet()["p1"].data
HINT = "X-Facematch-Hint"


def draw_flat():
    data = io.BytesIO()
    Image.new("RGB", (200, 200), (90, 80, 70)).save(data, "PNG")
    return data.getvalue()


FLAT = draw_flat()


def compare(mock, probe, reference, key=None):
    with requests.Session() as session:
        base = "http://127.0.0.1:1"
        session.mount(base, mock.adapter())
        key = key or mock.live_key
        if mock.vendors == ("didit",):
            files = {"user_image": ("a.png", probe), "ref_image": ("b.png", reference)}
            return session.post(f"{base}{MATCH_PATH}", headers={"x-api-key": key}, files=files)
        pair = {"client_id": "mock-client", "client_secret": key}
        token = session.post(f"{base}/v1/authorize", data=pair).json()
        headers = {"Authorization": f"Bearer {token['access_token']}", "x-api-key": key}
        files = {"file_a": ("a.png", probe), "file_b": ("b.png", reference)}
        return session.post(f"{base}/v1/facematch", headers=headers, files=files)


@pytest.mark.parametrize("vendor", ["didit", "deepvue"])
def test_a_score_by_bytes_says_that_it_compares_no_faces(vendor):
    mock = MockServer(vendor=vendor, seed=1)
    for files, has_hint in (((P1, P1), False), ((FLAT, FLAT), True), ((b"x", FLAT), False)):
        hint = compare(mock, *files).headers.get(HINT, "")
        assert ("--engine local" in hint) == has_hint
    mock.control.set_outcome("match", score=80)
    assert HINT not in compare(mock, FLAT, FLAT).headers
