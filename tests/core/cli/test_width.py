"""COLUMNS=60: no line of a help text, of a table or of another output is wider."""

import itertools
import re
from decimal import Decimal

import click
import pytest
from kit.attempts import entry, of_nobody
from kit.fakes import match_result, picture

from facematch_core import (
    Advice,
    Ids,
    OutcomeUnknown,
    ResultWarning,
    Score,
    SystemClock,
    WarningCode,
)
from facematch_core.cli.app import facematch
from facematch_core.store import SqlStore

WIDTH = 60


def commands(group=facematch, path=()):
    """Every command that there is, as words, groups included."""
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.fixture
def narrow(run):
    """Run a command in 60 columns; what it printed, once that is known to fit."""

    def invoke(*words, code=0, **options):
        answer = run(*words, env={"COLUMNS": str(WIDTH)}, **options)
        assert answer.exit_code == code, answer.output
        wide = [line for line in answer.output.splitlines() if len(line) > WIDTH]
        assert not wide, "\n".join(wide)
        return answer.stdout

    return invoke


def test_help_of_every_command(capsys, monkeypatch):
    """Examples are broken so that a shell still takes them."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    found = list(commands())
    assert {("compare", "run"), ("didit", "top-up")} <= {*found}
    told = {}
    # Not by a `CliRunner`, which has a width of its own.
    for words in found:
        with pytest.raises(SystemExit) as ended:
            facematch.main([*words, "-h"])
        assert ended.value.code == 0
        told[words] = capsys.readouterr().out
        assert max(map(len, told[words].splitlines())) <= WIDTH, told[words]
    example = told["compare",].partition("facematch compare run")[2].partition("facematch")[0]
    assert " ".join(example.replace("\\\n", "").split()).startswith("pairs.csv --profile didit")


def test_a_result(narrow, photos, scripted):
    """And its warnings."""
    warning = ResultWarning(
        code=WarningCode.NO_FACE, text="No face was found in it.", advice=Advice.RETAKE_PHOTO
    )
    known = {"ids": Ids(vendor="req_1", session="ses_1"), "score": Score(90, "fake/v1")}
    scripted.script = [match_result(warnings=(warning,), **known)]
    told = narrow("verify", *photos)
    assert "Advice: take the photograph again" in " ".join(told.split())
    narrow("verify", *photos, "--live")
    narrow("verify", "nothing.jpg", "id.jpg", code=2)


def test_a_batch(narrow, photos, tmp_path, scripted):
    """The summary."""
    (tmp_path / "p.csv").write_text("probe,reference\nselfie.jpg,id.jpg\n")
    narrow("verify", "--pairs", "p.csv", "--out", "o.jsonl")


def test_what_is_installed(narrow):
    """A table with the columns that there is room for; settings may be wrapped."""
    told = narrow("backends")
    assert "charges for" in told
    assert "cached_pictures" in narrow("doctor")
    narrow("demo")


def test_budgets(narrow, tmp_path):
    """Too wide for a table: a line for each cell."""
    store = SqlStore(f"sqlite:///{tmp_path}/a.sqlite3")
    one = entry(started_at=SystemClock().now(), owner=of_nobody())
    store.reserve(one, Decimal(5))
    store.close()
    told = narrow("budget", "--store", "a.sqlite3")
    assert re.search(r"^budget +shop$", told, re.MULTILINE)
    assert one.call.id in told


def test_a_card(narrow, plugin):
    """The verdict and the rules."""
    code = """
        from mutants.reference import HttpReference
        class Good(HttpReference):
            name = "good"
    """
    plugin(code, {"facematch.backends": {"good": "Good"}})
    narrow("conformance", "good", "--all", code=3)


def test_comparisons(narrow, tmp_path, scripted):
    """From plan to gate, and what is unresolved."""
    people = tmp_path / "people"
    pictures = iter(range(100))
    for person in ("anna", "bert", "cleo", "dora"):
        (people / person).mkdir(parents=True)
        for number, shade in zip(range(2), pictures, strict=False):
            data = picture((shade * 20, 100, 100)).data
            (people / person / f"{number}.jpg").write_bytes(data)
    plan = ("compare", "plan", "--fmr", "1e-4", "--frr", "0.01", "--price", "didit=0.05")
    narrow(*plan, "--difference", "0.02", "0.04")
    narrow("compare", "draw", "people", "--out", "pairs.csv")
    scripted.script = [OutcomeUnknown("Lost.")]
    narrow("compare", "run", "pairs.csv", "--backend", "fake", "--yes", code=6)
    narrow("compare", "unresolved")
    narrow("compare", "wrong", "--pairs", "pairs.csv")
    vendors = itertools.chain(*(("--vendor", f"{name}:fmr=1e-3,fnmr=0.01") for name in "ab"))
    narrow("compare", "simulate", *vendors, "--people", "100", "--out", "s.csv")
    narrow("compare", "report", "--scores", "s.csv", "--out", "r.html", "--fmr", "0.01")
    where = ("--scores", "s.csv", "--system", "a", "--allow-mock")
    narrow("compare", "threshold", *where, "--fmr", "0.01", "--out", "t.json")
    narrow("compare", "gate", *where, "--requirements", "sp800-63a", code=1)
    narrow("compare", "export", "--scores", "s.csv", "--out", "e.parquet")
