"""What a drill writes and counts: JUnit, stories not tried, own stories, an end by time."""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from kit import shop
from kit.commands import invoke_facematch
from kit.rawserver import free_port

from facematch_mock_server.drill import STORIES

SHOP = Path(shop.__file__)
STORY = "begin,fail,pass,hooks-reversed"
TITLE = STORIES[STORY]


@pytest.fixture
def drill(tmp_path):
    """Return a function that drills the shop in a way at Stripe, with a few stories."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def drill(way, *options, webhook=("--webhook", f"{url}/webhook")):
        words = ["--vendor", "stripe", "--begin", f"POST {url}/verify?customer={{customer}}"]
        words += ["--state", f"{url}/state?customer={{customer}}", *webhook, *map(str, options)]
        program = [sys.executable, str(SHOP), str(port), str(tmp_path / "shop.sqlite3"), way]
        return invoke_facematch("drill", *words, "--", *program)

    return drill


@pytest.fixture
def only(monkeypatch):
    """Return a function that leaves only these stories."""

    def only(*stories):
        for story in STORIES.keys() - {*stories}:
            monkeypatch.delitem(STORIES, story)

    return only


def cases_of(file):
    return {case.get("name"): case for case in ET.parse(file).getroot()}


def test_junit_has_the_time_the_class_the_reason_and_what_the_application_wrote(
    drill, only, tmp_path
):
    only("begin,pass", STORY, "begin,pass,hooks-lost", "begin,pass,hooks,overturn")
    file = tmp_path / "drill.xml"
    answer = drill("last event wins", "--junit", file)
    assert answer.exit_code == 1, answer.output
    suite = ET.parse(file).getroot()
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "skipped": "2",
    }
    cases = cases_of(file)
    assert {case.get("classname") for case in cases.values()} == {"drill.stripe"}
    assert float(cases[TITLE].get("time")) > 0
    assert cases[TITLE].find("failure").get("message") == "A YES WAS LOST"
    assert f"--play '{STORY}'" in cases[TITLE].find("failure").text
    assert "POST /webhook 200" in cases[TITLE].find("system-out").text
    reasons = {name: case.find("skipped") for name, case in cases.items()}
    assert "needs --job" in reasons["webhooks are lost"].get("message")
    assert "not document" in reasons["the vendor takes a yes back"].get("message")


def test_story_that_is_not_tried_is_counted_and_fails_a_strict_drill(drill, only):
    only("begin,pass", "begin,pass,hooks-lost", "begin,pass,hooks,overturn")
    answer = drill("")
    assert answer.exit_code == 0, answer.output
    last_line = answer.stdout.splitlines()[-1]
    # That Stripe takes no yes back is no lack of the application.
    assert "1 of 1 stories end right; not tried: 1 (needs --job" in last_line
    assert drill("", "--strict").exit_code == 1


@pytest.mark.slow
def test_application_without_webhooks_is_told_what_was_not_tried(drill, only):
    only("begin,pass", "begin,pass,hooks-twice")
    answer = drill("", webhook=())
    # The shop asks nobody, so it never hears the yes.
    assert answer.exit_code == 1, answer.output
    assert "not tried: 1 (needs --webhook)" in answer.stdout


@pytest.mark.slow
@pytest.mark.parametrize("skipped", [STORY, TITLE])
def test_known_failure_can_be_skipped_by_its_steps_or_title(drill, only, skipped):
    only("begin,pass", STORY)
    answer = drill("last event wins", "--skip", skipped, "--strict")
    assert answer.exit_code == 0, answer.output
    assert drill("", "--skip", "no such story").exit_code == 2


@pytest.mark.slow
def test_own_stories_are_played_after_the_others(drill, only, tmp_path):
    only("begin,pass")
    file = tmp_path / "bugs.toml"
    file.write_text(f'"our bug of May" = "begin,ben:begin,{STORY.partition(",")[2]}"')
    answer = drill("last event wins", "--stories", file)
    assert answer.exit_code == 1, answer.output
    assert re.findall(r"^(?:right|WRONG)  .*", answer.stdout, re.MULTILINE) == [
        "right  passes",
        "WRONG  our bug of May: A YES WAS LOST",
    ]
    for value in ('"begin,vanish"', "7"):
        file.write_text(f'"our bug of May" = {value}')
        assert drill("", "--stories", file).exit_code == 2


@pytest.mark.slow
def test_no_story_begins_after_the_timeout(drill, only, tmp_path):
    only("begin,pass", STORY)
    answer = drill("", "--timeout", "1e-9")
    assert answer.exit_code == 3
    assert "--timeout" in answer.stdout
    assert "right" not in answer.stdout


@pytest.mark.slow
def test_example_is_wrong_on_purpose_in_one_of_six_stories():
    answer = invoke_facematch("drill", "--example")
    assert answer.exit_code == 1, answer.output
    assert "wrong on purpose" in answer.stdout
    assert re.findall(r"^WRONG  .*", answer.stdout, re.MULTILINE) == [
        f"WRONG  {TITLE}: A YES WAS LOST"
    ]
    assert "5 of 6 stories end right." in answer.stdout


@pytest.mark.parametrize(
    "options", [["--vendor", "stripe"], ["--job", "job"], ["--", "python", "shop.py"]]
)
def test_example_takes_no_other_application(options):
    answer = invoke_facematch("drill", "--example", *options)
    assert answer.exit_code == 2
    assert "--example" in answer.stderr


@pytest.mark.slow
def test_drill_that_plays_no_story_is_undecided_and_says_so(drill, only, tmp_path):
    only("begin,pass,hooks-lost")
    assert "needs --job" in drill("").stdout
    file = tmp_path / "new" / "drill.xml"
    own = tmp_path / "own.toml"
    own.write_text('"our \\u0007 bug" = "begin,pass"')
    skips = ["--skip", "webhooks are lost", "--skip", "begin,pass"]
    answer = drill("", *skips, "--stories", own, "--junit", file, "--customers", 2)
    assert answer.exit_code == 3, answer.output
    assert "No story is played" in answer.stdout
    assert list(cases_of(file)) == ["webhooks are lost", "our \N{REPLACEMENT CHARACTER} bug"]


def test_junit_that_cannot_be_written_is_told_before_the_program_starts(drill, tmp_path):
    (tmp_path / "file").touch()
    answer = drill("", "--junit", tmp_path / "file" / "drill.xml")
    assert answer.exit_code == 2
    assert "--junit" in answer.stderr
    assert not (tmp_path / "shop.sqlite3").exists()
