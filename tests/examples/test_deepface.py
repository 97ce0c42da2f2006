"""The plug-in for the DeepFace server, built, installed and used as a stranger would."""

import json
import re

import pytest
from kit.installed import Installed


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Built and installed once."""
    return Installed("deepface_backend", tmp_path_factory.mktemp("deepface"))


def test_its_own_tests_pass(installed):
    """Of the contract the first rule: the card below has all of them, over the same simulator."""
    few = ("-k", "test_r01 or not test_r")
    report = installed.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *few)
    assert re.search(r"\b\d+ passed, \d+ deselected in ", report)


@pytest.fixture(scope="module")
def card(installed):
    """Every rule of the contract, run by the command as a stranger would."""
    command = "from facematch_core.cli import main; main()"
    return json.loads(installed.python("-c", command, "conformance", "deepface", "--json"))


@pytest.mark.long
def test_its_card_has_no_open_rule(card):
    """It keeps every rule that applies, and its simulator can bring each of them about."""
    assert card["verdict"] == "conforms"
    assert (card["counts"]["failed"], card["counts"]["open"]) == (0, 0)


@pytest.mark.long
def test_what_it_declares_is_proved(card):
    """The check for a live face among it, which DeepFace has no call for."""
    proved = {line["name"]: line["proved"] for line in card["capabilities"]}
    assert proved["match"] is proved["liveness"] is True


@pytest.mark.long
def test_what_does_not_apply_has_a_reason_of_the_server(card):
    """No rule is passed over because the simulator was not up to it."""
    left = [rule for rule in card["rules"] if rule["status"] == "does_not_apply"]
    assert {rule["number"] for rule in left} == {
        *("R10", "R12", "R13", "R14", "R22", "R32", "R48"),
    }
    assert all(rule["reasons"] for rule in left)


VERIFY = """
import json
from facematch_core import open_verifier
from facematch_core.testing import Situation
from facematch_deepface import DeepfaceOptions
from facematch_deepface._simulator import MODEL, DeepfaceSimulator

with DeepfaceSimulator() as simulator:
    settings = {"model_name": MODEL, "base_url": simulator.url}
    with open_verifier("deepface", **settings) as verifier:
        told = []
        for situation in (Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE, Situation.NO_FACE):
            simulator.set_situation(situation)
            pictures = simulator.pictures_for(Situation.SAME_PERSON)
            result = verifier.verify(*pictures, options=DeepfaceOptions())
            raw = result.score and result.score.raw
            told.append([result.decision, raw, result.billing.charged])
        simulator.set_situation(Situation.SPOOF)
        told.append(verifier.check_liveness(simulator.pictures_for(Situation.SAME_PERSON)[0]).decision)
        print(json.dumps(told))
"""


def test_open_verifier_by_name(installed):
    """A caller opens it by name, with the token from the environment."""
    token = "an-example-of-a-token-93c1f07ad2"
    assert installed.script(VERIFY, DEEPFACE_AUTH_TOKEN=token) == [
        ["match", 0.11, "no"],
        ["no_match", 0.71, "no"],
        ["inconclusive", None, "no"],
        "not_live",
    ]
