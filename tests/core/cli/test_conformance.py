"""`facematch conformance`: the card for people and for programs, and its exit codes."""

import datetime as dt
import importlib.util
import json
import os
import sys

import pytest
from rich.console import Console

from facematch_core import testing
from facematch_core.cli import common, conformance
from facematch_core.cli.common import MEANING, Exit
from facematch_core.cli.conformance import numbers, show_report
from facematch_core.testing import ConformanceReport
from facematch_core.testing.report import (
    NO_RULE_RUN,
    SIMULATOR_FAILED,
    CapabilityLine,
    RuleLine,
    Status,
    Verdict,
)

MADE = """
    import attrs
    from facematch_core import ConfigurationError
    from mutants.reference import HttpReference

    def whole(_, attribute, value):
        if type(value) is not int:
            raise ConfigurationError(f"{attribute.name} must be a whole number.")

    @attrs.frozen(kw_only=True)
    class Good(HttpReference):
        name = "good"
        level: int = attrs.field(default=1, validator=whole)
"""


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


def test_a_backend_that_conforms(run, alone, monkeypatch):
    """The verdict first, how many rules, who with whom, which settings, and what is proved."""
    proved = CapabilityLine(name="match", declared="yes", proved=True, rules=("R01",))
    whom = {"distribution": "stranger", "version": "2.5", "simulator": "Simulator"}

    def conformance(name, *, settings, progress):
        assert (name, settings) == ("good", {"level": 3})
        rules = line("R01"), line("R02", Status.DOES_NOT_APPLY, "No.")
        return card(*rules, capabilities=(proved,), settings=("level",), **whom)

    monkeypatch.setattr(testing, "conformance", conformance)
    told = run("conformance", "good", "--set", "level=3")
    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout.splitlines()[:3] == [
        "CONFORMS  acme meets every rule that applies to it.",
        "  2 rules: 1 passed, 1 do not apply",
        "  acme of stranger 2.5, simulated by Simulator, set: level",
    ]
    assert "Declared and proved: match" in told.stdout


def test_a_backend_that_fails(run, alone, monkeypatch):
    """The broken rules are named in the first line, and told in words below."""
    failed = line("R06", Status.FAILED, "a match call about two people gives match")
    monkeypatch.setattr(testing, "conformance", lambda name, **how: card(line("R01"), failed))
    told = run("conformance", "good")
    assert told.exit_code == Exit.BROKEN == 7
    assert told.stdout.startswith("FAILS  acme breaks 1 rule: R06.\n")
    assert "  R06  Title of R06.\n       a match call about two people gives match" in told.stdout


def test_a_simulator_that_fails_is_named_once(capsys):
    """What it fails with, and where; the backend is not said to break the rules it cost."""
    fault = "TypeError: no more (_simulator.py, line 7) in Faulty.answer"
    cost = [line(f"R{n:02}", Status.FAILED, f"{SIMULATOR_FAILED}{fault}") for n in (1, 2, 3)]
    show_report(card(*cost, line("R31")))
    told = capsys.readouterr().out
    assert told.startswith(f"FAILS  acme could not be checked.\n  The simulator failed: {fault}.\n")
    assert told.count("TypeError") == 1
    assert "  3 rules could not be run: R01-R03\n" in told
    assert "acme breaks" not in told


def test_what_a_backend_prints_is_no_part_of_the_report(run_json, alone, monkeypatch):
    """Its words are none of JSON."""

    def conformance(name, **how):
        sys.stdout.write("connected to the vendor\n")
        return card(line("R01"))

    monkeypatch.setattr(testing, "conformance", conformance)
    assert run_json("conformance", "good")[1]["backend"] == "acme"


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
    assert "R31 passed: " in told
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
    assert run("conformance", "good", "--out", "card.json").exit_code == 2


@pytest.mark.parametrize("content", [b"my notes", b'{"kind": "match"}', b"[" * 100_000, b"[]"])
def test_another_file_is_left_alone(run, alone, tmp_path, content):
    """Whatever is no card was not written by us; nothing is run before that is known."""
    (tmp_path / "card.json").write_bytes(content)
    told = run("conformance", "good", "--out", "card.json")
    assert told.exit_code == 2
    assert "is not a conformance report of facematch" in told.stderr
    assert (tmp_path / "card.json").read_bytes() == content


def test_settings(run, alone):
    """They are typed by the backend's class."""
    for word, says in (
        ("levle=3", "--set: the backend good has no setting 'levle'; did you mean level?"),
        ("level=high", "--set level must be a whole number, not str of length 4."),
    ):
        told = run("conformance", "good", "--set", word)
        assert told.exit_code == 4
        assert says in told.stderr
    assert run("conformance", "good", "--set", "level").exit_code == 2


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
    assert "  R05: a: no a here.\n  R05: b: no b here.\n" in told
    assert "  R06: no reason was given\n" in told
    assert "7 rules: 1 passed, 5 not tested, 1 do not apply" in told


def test_what_several_rules_met_is_told_once(capsys):
    """With their number; what only one of them met stands under its title."""
    cause = "KeyError: 'score' (_backend.py, line 100)"
    met = [line(f"R{n:02}", Status.FAILED, cause) for n in (2, 3, 5)]
    show_report(card(*met, line("R07", Status.FAILED, cause, "its own"), line("R09")))
    told = capsys.readouterr().out
    assert told.startswith("FAILS  acme breaks 4 rules: R02-R03, R05, R07.\n")
    assert told.count(cause) == 1
    assert f"  4 rules: {cause}\n       R02-R03, R05, R07\n" in told
    assert told.count("Title of") == 1
    assert "  R07  Title of R07.\n       its own\n" in told


def test_a_backend_that_takes_its_time_was_not_checked(capsys):
    """One sentence, and no rule is said to be broken."""
    reason = f"{NO_RULE_RUN}a good match call took 5.0 s"
    show_report(card(*(line(f"R{n:02}", Status.FAILED, reason, cases=0) for n in (1, 2, 3))))
    told = capsys.readouterr().out
    assert told.startswith(
        "FAILS  acme could not be checked.\n  No rule was run: a good match call"
    )
    assert told.count("5.0 s") == 1
    assert "Failed" not in told
    assert "3 rules: 3 could not be run" in told


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


def test_every_verdict_has_its_word_and_code():
    """The tables are total, and each code is explained in the help."""
    assert set(conformance.VERDICTS) == {verdict.value for verdict in Verdict}
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
