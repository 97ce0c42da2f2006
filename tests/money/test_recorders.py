"""Libraries that answer or record requests in tests take our calls, too: nothing is charged."""

import subprocess
import sys

import pook
import pytest
import requests
import requests_mock
import vcr

import facematch_core as fm
from facematch_mock_server import make_card

P1 = make_card("p1")
P1_AGAIN = make_card("p1", quality=70)


@pytest.fixture
def charges_of(didit_server):
    """Number of charges of a call, and its decision or the class of its error."""

    def call():
        before = len(didit_server.control.charges())
        with fm.open_verifier(
            "didit", api_key=didit_server.live_key, base_url=didit_server.url
        ) as verifier:
            try:
                ended = verifier.verify(P1, P1_AGAIN).decision
            except fm.VendorError as error:
                ended = type(error)
        return len(didit_server.control.charges()) - before, ended

    return call


@pytest.fixture
def recorded(didit_server):
    """The URL of a match, and a response to it (charged)."""
    url = f"{didit_server.url}/v3/face-match/"
    files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1_AGAIN)}
    headers = {"x-api-key": didit_server.live_key}
    return url, requests.post(url, headers=headers, files=files, timeout=60)


def test_vcrpy_replays_a_call_and_refuses_one_that_it_does_not_know(
    charges_of, didit_server, tmp_path
):
    recorder = vcr.VCR(filter_headers=["x-api-key"])
    with recorder.use_cassette(tmp_path / "a.yaml", record_mode="once"):
        assert charges_of() == (1, "match")
    assert didit_server.live_key not in (tmp_path / "a.yaml").read_text()
    with vcr.use_cassette(tmp_path / "a.yaml", record_mode="none") as cassette:
        assert charges_of() == (0, "match")
        assert cassette.play_count == 1
    with vcr.use_cassette(tmp_path / "b.yaml", record_mode="none"):
        assert charges_of() == (0, fm.OutcomeUnknown)
    assert charges_of() == (1, "match")


@pytest.mark.slow
def test_vcrpy_that_patched_before_the_import_does_not_keep_its_cassette(didit_server, tmp_path):
    program = f"""
import vcr
from facematch_core import errors, open_verifier
from facematch_mock_server import make_card
def call():
    settings = {{"api_key": {didit_server.live_key!r}, "base_url": {didit_server.url!r}}}
    with open_verifier("didit", **settings) as verifier:
        try:
            print(verifier.verify(make_card("p1"), make_card("p1", quality=70)).decision)
        except errors.OutcomeUnknown:
            print("refused")
for record_mode in ("none", "once", "none"):
    with vcr.use_cassette("a.yaml", record_mode=record_mode):
        call()
call()
"""
    before = len(didit_server.control.charges())
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stdout.split() == ["refused", "match", "match", "match"]
    assert len(didit_server.control.charges()) - before == 2


def test_requests_mock_answers_what_is_registered_and_sends_nothing(charges_of, recorded):
    url, response = recorded
    with requests_mock.Mocker() as mocker:
        assert charges_of() == (0, fm.OutcomeUnknown)
        mocker.post(url, content=response.content, headers=response.headers)
        assert charges_of() == (0, "match")
    with requests_mock.Mocker(real_http=True):
        assert charges_of() == (1, "match")


def test_pook_answers_what_is_registered_and_sends_nothing(charges_of, recorded):
    url, response = recorded
    with pook.use():
        assert charges_of() == (0, fm.OutcomeUnknown)
        pook.post(url).reply(200).headers(dict(response.headers)).body(response.content)
        assert charges_of() == (0, "match")
    assert charges_of() == (1, "match")
