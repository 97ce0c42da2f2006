"""Sentry with all defaults sends no face and no key of an application that holds none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kit import canaries

PROGRAM = Path(__file__).parent / "sentry_program.py"
#: The applications that hold no picture, and the class of the error in each.
APPLICATIONS = {
    "verify": "VendorUnavailable",
    "unknown_option": "TypeError",
    "picture_in_metadata": "InvalidRequest",
    "invalid_picture": "InvalidImage",
    "start": "InvalidRequest",
    "failed_opening": "ConfigurationError",
    "verify_async": "VendorUnavailable",
    "deadline_async": "VendorUnavailable",
    "start_async": "VendorUnavailable",
    "fastapi": "VendorUnavailable",
}


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """The event of each application, as Sentry would send it."""
    folder = tmp_path_factory.mktemp("pictures")
    # A PNG is checked when it is read, a TIFF when it is prepared.
    (folder / "selfie.png").write_bytes(canaries.reference().data)
    (folder / "document.png").write_bytes(canaries.probe().data)
    words = [sys.executable, "-W", "ignore", PROGRAM, folder, *APPLICATIONS, "holds_a_picture"]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_event_contains_no_face_and_no_key(name, events):
    event = events[name]
    assert event["exception"]["values"][-1]["type"] == APPLICATIONS[name]
    text = json.dumps(event)
    assert "facematch_core" in text, "our frames are there, without their variables"
    assert canaries.leaks({"event": text}, canaries.canaries()) == {}


def test_a_picture_in_a_variable_of_the_application_is_sent(events):
    """Which shows that the search would find one."""
    text = json.dumps(events["holds_a_picture"])
    assert canaries.leaks({"event": text}, canaries.canaries())
