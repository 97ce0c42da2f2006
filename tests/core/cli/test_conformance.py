import datetime as dt
import importlib.util
import io
import itertools
import json
import os
import sys
from pathlib import Path

import pytest

from facematch_core import testing
from facematch_core.cli import conformance
from facematch_core.cli.text import Exit
from facematch_core.testing import ConformanceReport
from facematch_core.testing.report import (
    SIMULATOR_FAILED,
    CapabilityLine,
    RuleLine,
    Status,
)

PLUGIN = """
    import attrs
    from facematch_core import ConfigurationError
    from mutants.reference import HttpReference, HttpReferenceSimulator

    def whole(_, attribute, value):
        if type(value) is not int:
            raise ConfigurationError(f"{attribute.name} must be a whole number.")

    @attrs.frozen(kw_only=True)
    class Good(HttpReference):
        name = "good"
        level: int = attrs.field(default=1, validator=whole)

    class Lone(HttpReference):
        name = "lone"

    class Simulator(HttpReferenceSimulator):
        def __init__(self):
            super().__init__(Good)
"""


@pytest.fixture
def installed(plugin):
    points = {"facematch.backends": {"good": "Good", "lone": "Lone"}}
    return plugin(PLUGIN, points | {"facematch.simulators": {"good": "Simulator"}})


@pytest.fixture
def half_tested(installed, monkeypatch):
    rules = [
        RuleLine(number=rule.number, title=rule.title, status=status)
        for rule, status in zip(testing.rules(), itertools.cycle((Status.PASSED, Status.OPEN)))
    ]
    monkeypatch.setattr(testing, "conformance", lambda name, **how: card(*rules))


def line(number, status=Status.PASSED, *reasons, **more):
    title = f"Title of {number}."
    return RuleLine(number=number, title=title, status=status, reasons=reasons, **more)


def failed(reason, *numbers, **more):
    return [line(f"R{number:02}", Status.FAILED, reason, **more) for number in numbers]


def card(*rules, **more):
    when = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
    facts = {"backend": "acme", "core_version": "1.0", "python_version": "3.11.2", "made_at": when}
    facts["simulator"] = "Simulator"
    return ConformanceReport(**{"rules": rules, **facts, **more})


def test_cards(screens, installed, monkeypatch):
    cause = "KeyError: 'score' (_backend.py, line 100)"
    proved = [
        CapabilityLine(name=name, declared="yes", proved=name == "match", rules=(rule,))
        for name, rule in (("match", "R01"), ("rotate", "R25"), ("keep", "R44"))
    ]
    whom = {"distribution": "stranger", "version": "2.5"}
    does_not_apply = line("R05", Status.DOES_NOT_APPLY, "a: no a here.", "b: no b here.")
    untested = [line(f"R{n:02}", Status.OPEN, "Acme cannot do it.") for n in (2, 3, 4, 7)]
    fault = f"{SIMULATOR_FAILED}TypeError: no more (_simulator.py, line 7) in Faulty.answer"
    effects = [line(f"R{n:02}", Status.NOT_JUDGED, "because of R51") for n in (3, 2, 1, 7)]
    whole = [line(f"R{n:02}", cases=3, passed=3) for n in range(1, 48)]
    cards = {
        "it conforms": (0, whole, {**whom, "capabilities": proved[:1], "settings": ("level",)}),
        "one rule is broken": (7, [line("R01"), *failed("It gives match.", 6)], {}),
        "a cause is first, and its effects are not judged": (
            7,
            [*failed(cause, 51), *failed("A leak.", 21), *effects],
            {"capabilities": tuple(proved[1:2])},
        ),
        "the simulator fails": (7, [*failed(fault, 51), *effects, line("R31")], {}),
        "rules with one reason share a line": (
            3,
            [line("R01"), *untested, does_not_apply, line("R06", Status.OPEN)],
            {},
        ),
        "not everything is proved": (
            7,
            [line("R01"), *failed("It is kept.", 44)],
            {"capabilities": tuple(proved)},
        ),
    }
    with screens("conformance") as show:
        for title, (code, rules, more) in cards.items():
            report = card(*rules, **more)

            def conformance(name, *, settings, progress, report=report):
                assert (name, settings) == ("good", {"level": 3})
                return report

            monkeypatch.setattr(testing, "conformance", conformance)
            show(title, "conformance", "good", "--set", "level=3", code=code)


def test_what_a_backend_prints_is_no_part_of_the_report(run_json, installed, monkeypatch):
    def conformance(name, **how):
        sys.stdout.write("connected to the vendor\n")
        return card(line("R01"))

    monkeypatch.setattr(testing, "conformance", conformance)
    assert run_json("conformance", "good")[1]["backend"] == "acme"


def test_every_rule_is_shown(run, half_tested):
    answer = run("conformance", "good", "--all", "--out", "cards/good.json")
    assert answer.exit_code == Exit.LOOK == 3
    words = " ".join(answer.stdout.split())
    for rule in testing.rules():
        assert f"{rule.number} " in words
        assert rule.title in words
    document = json.loads(Path("cards/good.json").read_text())
    assert ConformanceReport.from_dict(document).verdict == "open"


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_how_far_it_is(monkeypatch):
    for stream, words in ((Screen(), ["rules", "100%"]), (io.StringIO(), [])):
        monkeypatch.setattr(sys, "stderr", stream)
        with conformance.draw_progress() as advance:
            for done in range(1, 4) if advance else ():
                advance(done, 3)
        assert all(word in stream.getvalue() for word in words)
        assert bool(words) is bool(stream.getvalue())


def test_wrong_usage_runs_nothing(screens, run, installed, monkeypatch):
    if hasattr(os, "mkfifo"):
        os.mkfifo("pipe.json")
        assert run("conformance", "good", "--out", "pipe.json").exit_code == 2
    with screens("conformance-wrong-usage") as show:
        show("", "conformance", code=2)
        show("", "conformance", "good", "--out", "card.html", code=2)
        show("", "conformance", "good", "--set", "level", code=2)
        show("", "conformance", "good", "--set", "levle=3", code=4)
        show("", "conformance", "good", "--set", "level=high", code=4)
        show("without a simulator", "conformance", "lone", code=4)
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "pytest" else find(name)
        )
        show("without the extra", "conformance", "good", code=4)


def test_the_card_for_programs_is_printed_and_written(run_json, half_tested, tmp_path):
    (tmp_path / "good.json").write_text('{"kind": "conformance_report", "verdict": "fails"}')
    code, document = run_json("conformance", "good", "--out", "good.json")
    assert code == Exit.LOOK
    written = (tmp_path / "good.json").read_text()
    assert json.loads(written) == document
    assert ConformanceReport.from_dict(document).verdict == "open"
    assert str(tmp_path) not in written


@pytest.mark.parametrize("content", [b'{"kind": "match"}', b"[" * 100_000])
def test_another_file_is_left_alone(run, installed, tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)
    outcome = run("conformance", "good", "--out", "card.json")
    assert outcome.exit_code == 2
    assert "is not a conformance report of facematch" in outcome.stderr
    assert (tmp_path / "card.json").read_bytes() == content
