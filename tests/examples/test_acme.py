"""The example plug-in, built, installed and used as a stranger would.

That it keeps the contract is shown where the page about it is run: `facematch conformance acme`.
"""

import re

import pytest
from kit.installed import Installed


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Built and installed once."""
    return Installed("acme_backend", tmp_path_factory.mktemp("acme"))


def test_installed_copy_is_tested(installed):
    """The tests below do not meet the sources by accident."""
    text = "import facematch_acme, json; print(json.dumps(facematch_acme.__file__))"
    assert installed.script(text).startswith(str(installed.site))


def test_it_is_listed(installed):
    """The entry point makes it known, with its distribution and version."""
    found = installed.script(
        "import json; from facematch_core import available_backends\n"
        "print(json.dumps([[b.name, b.distribution, b.version, b.problem]"
        " for b in available_backends()]))"
    )
    assert ["acme", "facematch-acme", "0.1.0", None] in found


VERIFY = """
import json
from facematch_acme._simulator import KEY, AcmeSimulator
from facematch_core import open_verifier
from facematch_core.testing import Situation

with AcmeSimulator() as simulator:
    settings = {"base_url": simulator.url} | SETTINGS
    with open_verifier("acme", **settings) as verifier:
        told = []
        for situation in (Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE, Situation.NO_FACE):
            simulator.set_situation(situation)
            result = verifier.verify(*simulator.pictures_for(Situation.SAME_PERSON))
            score = result.score and result.score.value
            told.append([result.decision, score, result.billing.charged])
        print(json.dumps(told))
"""
TOLD = [["match", 93.5, "yes"], ["no_match", 12.25, "yes"], ["inconclusive", None, "yes"]]


def test_open_verifier_by_name(installed):
    """A caller opens it by name and settings."""
    assert installed.script(VERIFY.replace("SETTINGS", '{"api_key": KEY}')) == TOLD


def test_key_from_the_environment(installed):
    """Or leaves the key to the environment."""
    text = VERIFY.replace("SETTINGS", "{}")
    assert installed.script(text, ACME_API_KEY="an-example-of-a-key-4f7e1c2ab9") == TOLD


def test_key_stays_with_the_vendor(installed):
    """A stray address is refused when it is opened, and the key is not in what is printed."""
    report = installed.python(
        "-c",
        "from facematch_core import open_verifier\n"
        'open_verifier("acme", api_key="k-123456", base_url="https://evil.test")',
        fails=True,
    )
    assert "ConfigurationError: base_url names the host evil.test" in report
    assert "k-123456" not in report.replace('"k-123456"', "")


BROKEN = """
import pytest
from facematch_acme._simulator import AcmeSimulator
from facematch_core.testing import BackendContract

class Careless(AcmeSimulator):
    @property
    def received(self):
        return {"threshold": 1.5}

class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with Careless() as simulator:
            yield simulator
"""


def test_broken_rule_says_what_it_saw(installed):
    """In a sentence, in a project of somebody else's as well."""
    file = installed.repository / "tests" / "test_broken.py"
    file.write_text(BROKEN)
    few = ("-k", "test_r07 or test_r05")
    report = installed.python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", *few, file, fails=True
    )
    file.unlink()
    assert "1 failed, 1 passed" in report
    assert "test_r07_threshold_edge" in report
    (said,) = re.findall(r"^E +AssertionError: (.+)", report, re.MULTILINE)
    assert "1.5" in said
