"""Run where Face++ is a distribution of its own: contract, fixtures, door, first calls, parity."""

import json
import subprocess
import sys

import pytest
import requests
from kit.first_calls import record_first_calls
from vendors.facepp import KEYS, DocumentedFacepp, FaceppSimulator

from facematch_core import BackendUnavailable, available_backends, open_verifier
from facematch_core.testing import BackendContract
from facematch_mock_server import make_card
from facematch_mock_server.first_calls.plans import plan_names

HOST = "https://api-us.faceplusplus.com"


def compare(url):
    """Return the score of one person, by a program of one's own."""
    files = {"image_file1": make_card("p1"), "image_file2": make_card("p1")}
    answer = requests.post(f"{url}/facepp/v3/compare", data=KEYS, files=files, timeout=60)
    return answer.json()["confidence"]


def test_backend_is_of_its_own_distribution_and_opens(facepp_mock):
    problems = {info.distribution: info.problem for info in available_backends()}
    assert problems["facematch-facepp"] is None
    with open_verifier("facepp") as verifier:
        assert verifier.verify(make_card("p1"), make_card("p1")).is_match
    assert len(facepp_mock.control.charges()) == 1


def test_alias_leads_to_the_name():
    with pytest.raises(BackendUnavailable, match="use 'facepp'"):
        open_verifier("megvii")


def test_fixtures_of_its_own_address_and_of_a_port(facepp_mock, facepp_server):
    assert compare(HOST) > 80
    assert compare(facepp_server.url) > 80
    assert len(facepp_mock.control.charges()) == len(facepp_server.control.charges()) == 1


def test_fixture_of_the_door_has_its_host(mock_door):
    assert compare(HOST) > 80
    assert len(mock_door.of("facepp").control.charges()) == 1


def test_program_behind_the_door(tmp_path):
    (tmp_path / "selfie.png").write_bytes(make_card("p1"))
    (tmp_path / "id.png").write_bytes(make_card("p1"))
    program = f"{__file__.rpartition('/')[0]}/with_facepp.py"
    mock = [sys.executable, "-m", "facematch_core", "mock", "--vendor", "facepp"]
    command = [*mock, "--door", "--any-key", "--", sys.executable, program]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert "confidence above 80 True" in done.stdout, done.stderr


def test_recording_of_the_first_calls_is_as_the_mock(tmp_path, monkeypatch):
    assert "facepp" in plan_names()
    file = tmp_path / "facepp.json"
    record_first_calls("facepp", file, monkeypatch)
    monkeypatch.undo()
    done = subprocess.run(
        [sys.executable, "-m", "facematch_core", "parity", file, "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert json.loads(done.stdout)["counts"] == {"alike": 17, "different": 0, "not imitated": 0}


class TestContractOnTheMock(BackendContract):
    @pytest.fixture
    def simulator(self):
        with FaceppSimulator() as simulator:
            yield simulator


class TestContractOnDocumentedBodies(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DocumentedFacepp() as simulator:
            yield simulator
