"""`facematch conformance`: the card for people and for programs, and its exit codes."""

import datetime as dt
import importlib.util
import json
import os
import re

import pytest
from rich.console import Console

from facematch_core import testing
from facematch_core.cli import common, conformance
from facematch_core.cli.common import MEANING, Exit
from facematch_core.cli.conformance import numbers, show_report
from facematch_core.testing import ConformanceReport
from facematch_core.testing.report import CapabilityLine, RuleLine, Status, Verdict

MADE = """
    import attrs
    from facematch_core import ConfigurationError
    from mutants.reference import HttpReference, PromptSimulator

    def whole(_, attribute, value):
        if type(value) is not int:
            raise ConfigurationError(f"{attribute.name} must be a whole number.")

    @attrs.frozen(kw_only=True)
    class Good(HttpReference):
        name = "good"
        level: int = attrs.field(default=1, validator=whole)

    @attrs.frozen(kw_only=True)
    class Bad(Good):
        name = "bad"

        def decision(self, call, body, score):
            return super().decision(call, {**body, "verdict": "yes"}, score)

    class Simulator(PromptSimulator):
        def __init__(self):
            super().__init__(Good)

    class BadSimulator(PromptSimulator):
        def __init__(self):
            super().__init__(Bad)
"""


@pytest.fixture
def strangers(plugin):
    """One backend that keeps the contract, and one that does not."""
    groups = {
        "facematch.backends": {"good": "Good", "bad": "Bad"},
        "facematch.simulators": {"good": "Simulator", "bad": "BadSimulator"},
    }
    return plugin(MADE, groups)


@pytest.fixture
def alone(plugin):
    """A backend without a simulator."""
    return plugin(MADE, {"facematch.backends": {"good": "Good"}})


@pytest.fixture(scope="module")
def _reports():
    """What was found out about `good` alone, for all tests that read it."""
    return {}


@pytest.fixture
def shared(alone, monkeypatch, _reports):
    """`alone`, whose contract is run for the first test that asks."""
    real = testing.conformance

    def conformance(name, **how):
        if name not in _reports:
            _reports[name] = real(name, **how)
        return _reports[name]

    monkeypatch.setattr(testing, "conformance", conformance)


def test_a_backend_that_conforms(run, strangers):
    """The verdict first, how many rules, who with whom, which settings, and what is proved."""
    told = run("conformance", "good", "--set", "level=3")
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    number = len(testing.rules())
    assert lines[0] == "CONFORMS  good meets every rule that applies to it."
    assert lines[1] == f"  {number} rules: {number - 2} passed, 2 do not apply"
    who = "  good of stranger 2.5, simulated by Simulator of stranger 2.5, set: level"
    assert lines[2] == who
    assert "Declared and proved: match, liveness" in told.stdout
    assert len(lines) <= 10
    assert told.stderr == ""


def test_a_backend_that_fails(run, strangers):
    """The broken rules are named in the first line, and told in words below."""
    told = run("conformance", "bad")
    assert told.exit_code == Exit.BROKEN == 7
    assert told.stdout.startswith("FAILS  bad breaks ")
    assert "R06" in told.stdout.splitlines()[0]
    assert "R06 The same person matches, two people do not" in " ".join(told.stdout.split())


def test_a_simulator_that_fails_is_named_once(run, plugin):
    """What it fails with, and where; the backend is not said to break the rules it cost."""
    faulty = """
    class Faulty(Simulator):
        def answer(self, request, situation, score):
            return None + 1
    """
    groups = {"facematch.backends": {"good": "Good"}, "facematch.simulators": {"good": "Faulty"}}
    plugin(MADE + faulty, groups)
    told = run("conformance", "good")
    assert told.exit_code == Exit.BROKEN
    text = " ".join(told.stdout.split())
    assert text.startswith("FAILS good could not be checked: its simulator failed.")
    assert text.count("TypeError") == text.count("Your simulator failed: TypeError: ") == 1
    assert re.search(r" in Faulty\.answer \(\w+\.py:\d+\)\.", text)
    assert " rules could not be run: R0" in text
    assert "good breaks" not in text


def test_without_a_simulator(run, shared):
    """Open, with one line for all rules that wait for a simulator."""
    told = run("conformance", "good")
    assert told.exit_code == Exit.LOOK == 3
    assert told.stdout.startswith("OPEN  good breaks no rule, but not every rule was tested.")
    words = " ".join(told.stdout.split())
    assert words.count("no simulator is installed: entry-point group facematch.simulators") == 1
    assert "good of stranger 2.5, without a simulator" in words


def test_every_rule_and_missing_folders(run, shared, tmp_path):
    """`--all` has a line for each, passed or not; `--out` makes folders, and says where it is."""
    told = " ".join(run("conformance", "good", "--all", "--out", "cards/good.json").stdout.split())
    for rule in testing.rules():
        assert f"{rule.number} " in told
        assert rule.title in told
    assert "R46 passed: An unknown setting" in told
    assert "The report as JSON: cards/good.json" in told
    document = json.loads((tmp_path / "cards" / "good.json").read_text())
    assert ConformanceReport.from_dict(document).simulator is None


def test_json_and_file(run_json, shared, tmp_path):
    """The card for programs, printed and written; a newer one takes the place of an older one."""
    (tmp_path / "good.json").write_text('{"kind": "conformance_report", "verdict": "fails"}')
    code, document = run_json("conformance", "good", "--out", "good.json")
    assert code == Exit.LOOK
    written = (tmp_path / "good.json").read_text()
    assert json.loads(written) == document
    assert ConformanceReport.from_dict(document).verdict == "open"
    assert str(tmp_path) not in written


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_report(run, alone, tmp_path):
    """Nobody waits for what somebody may write into it."""
    os.mkfifo(tmp_path / "card.json")
    told = run("conformance", "good", "--out", "card.json")
    assert told.exit_code == 2
    assert "is not a conformance report of facematch" in told.stderr


@pytest.mark.parametrize("content", [b"my notes", b'{"kind": "match"}', b"[" * 100_000, b"[]"])
def test_another_file_is_left_alone(run, alone, tmp_path, content):
    """Whatever is no card was not written by us; nothing is run before that is known."""
    (tmp_path / "card.json").write_bytes(content)
    told = run("conformance", "good", "--out", "card.json")
    assert told.exit_code == 2
    assert "is not a conformance report of facematch" in told.stderr
    assert (tmp_path / "card.json").read_bytes() == content


def test_a_folder_is_no_file(run, tmp_path):
    """Said before anything is run."""
    (tmp_path / "cards").mkdir()
    told = run("conformance", "local", "--out", "cards")
    assert (told.exit_code, told.stdout) == (2, "")


def test_settings(run, strangers):
    """They are typed by the backend's class."""
    for word, says in (
        ("levle=3", "--set: the backend good has no setting 'levle'; did you mean level?"),
        ("level=high", "--set level must be a whole number, not str of length 4."),
    ):
        told = run("conformance", "good", "--set", word)
        assert told.exit_code == 4
        assert says in told.stderr
    assert run("conformance", "good", "--set", "level").exit_code == 2


def test_unknown_backend(run):
    """The usual sentence and code."""
    told = run("conformance", "didid")
    assert told.exit_code == 4
    assert told.stderr == "error: No backend is called 'didid': did you mean didit?\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Missing argument 'NAME'"),
        (("local", "--out", "card.html"), "--out writes .json"),
    ],
)
def test_wrong_usage(run, words, says):
    """One sentence."""
    told = run("conformance", *words)
    assert told.exit_code == 2
    assert says in told.stderr


def test_without_pytest(run, monkeypatch):
    """One sentence, with the line that installs it."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pytest" else find(name)
    )
    told = run("conformance", "local")
    assert told.exit_code == 4
    assert told.stderr == (
        "error: facematch conformance needs pytest, which is not installed: "
        '`pip install "facematch-core[testing]"` brings it.\n'
    )


def line(number, status=Status.PASSED, *reasons, **more):
    """A rule of a card."""
    title = f"Title of {number}."
    return RuleLine(number=number, title=title, status=status, reasons=reasons, **more)


def card(*rules, **more):
    """A card."""
    made = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
    told = {"backend": "acme", "core_version": "1.0", "python_version": "3.11.2", "made_at": made}
    return ConformanceReport(**{"rules": rules, **told, **more})


def test_rules_with_one_reason_share_a_line(capsys):
    """And no line is as long as a list of all."""
    reason = "Acme cannot do it."
    show_report(
        card(
            line("R01"),
            *(line(f"R{n:02}", Status.OPEN, reason) for n in (2, 3, 4, 7)),
            line("R05", Status.DOES_NOT_APPLY, "a: no a here.", "b: no b here."),
            line("R06", Status.OPEN),
        )
    )
    told = capsys.readouterr().out
    assert "  R02-R04, R07: Acme cannot do it.\n" in told
    assert "  R05: a: no a here.\n    b: no b here.\n" in told
    assert "  R06: no reason was given\n" in told
    assert "7 rules: 1 passed, 5 not tested, 1 do not apply" in told


def test_what_is_not_proved_is_said(capsys):
    """In a line of its own."""
    lines = [
        CapabilityLine(name=name, declared="yes", proved=name == "match", rules=("R06",))
        for name in ("match", "rotate")
    ]
    show_report(card(line("R06"), capabilities=tuple(lines)))
    told = capsys.readouterr().out
    assert told.startswith("OPEN  ")
    assert "  Declared and proved: match\n  Declared, not proved: rotate\n" in told


def test_terminal_is_not_steered(capsys):
    """What a simulator says may hold anything."""
    show_report(card(line("R01", Status.FAILED, "bad \x1b[2J word")))
    assert "\x1b" not in capsys.readouterr().out


def test_every_verdict_has_its_word_and_code():
    """The tables are total, and each code is explained in the help."""
    verdicts = {verdict.value for verdict in Verdict}
    assert set(conformance.VERDICTS) == verdicts
    assert {code for *_, code in conformance.VERDICTS.values()} <= set(MEANING)
    assert set(conformance.WORDS) == {status.value for status in Status}


@pytest.mark.parametrize(
    ("given", "told"),
    [((), ""), ((3,), "R03"), ((1, 2), "R01-R02"), ((1, 3, 4, 5, 9), "R01, R03-R05, R09")],
)
def test_numbers(given, told):
    """Neighbours are told by their ends."""
    assert numbers(line(f"R{n:02}") for n in given) == told


def test_progress_on_a_terminal(run, alone, monkeypatch):
    """It is drawn on stderr, and gone when the card comes."""
    drawn = Console(stderr=True, force_terminal=True, width=80)
    monkeypatch.setattr(common, "console", lambda *, err=False: drawn)
    told = run("conformance", "good")
    assert told.exit_code == 3
    assert "rules" in told.stderr
    assert told.stdout.startswith("OPEN")


def test_card_lines_are_few(capsys):
    """Ten seconds are a handful of lines."""
    rules = [line(f"R{n:02}", cases=3, passed=3) for n in range(1, 48)]
    show_report(card(*rules))
    assert len(capsys.readouterr().out.splitlines()) == 4
    show_report(card(*rules), everything=True)
    assert len(capsys.readouterr().out.splitlines()) > 50
