"""The plug-in for a vendor that answers later, built, installed and used as a stranger would."""

import json

import pytest
from kit.installed import Installed


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Built and installed once."""
    return Installed("latterly_backend", tmp_path_factory.mktemp("latterly"))


def test_its_own_tests_pass(installed):
    """How it waits, and how a lost job is found; the rules are in the report below."""
    report = installed.python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_backend.py"
    )
    assert " passed" in report


@pytest.mark.long
def test_it_conforms(installed):
    """No rule is open: its simulator can play all that Latterly may do."""
    command = "from facematch_core.cli import main; main()"
    report = json.loads(installed.python("-c", command, "conformance", "latterly", "--json"))
    assert report["verdict"] == "conforms", report
    assert (report["counts"]["failed"], report["counts"]["open"]) == (0, 0)


LOST = """
import json
from facematch_core import OutcomeUnknown, open_verifier
from facematch_core.testing import ManualClock, Situation
from facematch_latterly._simulator import KEY, LatterlySimulator

with LatterlySimulator() as simulator:
    settings = {"api_key": KEY, "base_url": simulator.url, "clock": ManualClock()}
    with open_verifier("latterly", **settings) as verifier:
        simulator.set_situation(Situation.NEVER_DONE)
        try:
            verifier.verify(*simulator.pictures_for(Situation.SAME_PERSON))
        except OutcomeUnknown as error:
            simulator.set_situation(Situation.SAME_PERSON)
            found = verifier.reconcile(error)
            print(json.dumps([error.ids.vendor, error.billing.charges, found.result.decision]))
"""


def test_a_lost_job_is_found_from_outside(installed):
    """Opened by its name; without a deadline a call ends by itself, and its result is not lost."""
    assert installed.script(LOST) == ["job_1", 1, "match"]
