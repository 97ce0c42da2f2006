"""The weekly run fails on what nobody has accepted, and on nothing else."""

import stat
import sys
import tomllib
from pathlib import Path

import pytest
from mutation.survivors import ACCEPTED, REPORT, Accepted, Change, main, name_function, read_change

ROOT = Path(__file__).parents[2]
OPEN = "shop.till.xǁTillǁopen__mutmut_4"
CLOSE = "shop.till.x__close__mutmut_2"
SHOWN = """\
# {name}: survived
--- src/shop/till.py
+++ src/shop/till.py
@@ -1,4 +1,4 @@
 def open(self):
-    return left_s > 0
+    return left_s >= {limit}
     # -- and --- stay
"""
#: The change that mutmut shows as it is by default.
CHANGE = Change("shop.till.Till.open", "return left_s > 0", "return left_s >= 0")


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "accepted.toml"
    path.write_text("# What it is.\nunread = []\n", encoding="utf-8")
    return path


@pytest.fixture
def judge(tmp_path, book):
    """Judges what an imitated mutmut says: the exit code."""

    def judge(statuses, *words, limit=0):
        shown = {name: SHOWN.format(name=name, limit=limit) for name in statuses}
        listed = "".join(f"    {name}: {status}\n" for name, status in statuses.items())
        fake = tmp_path / "fake.py"
        answers = repr({**shown, "results": listed})
        fake.write_text(
            f"#!{sys.executable}\nimport sys\nanswers = {answers}\n"
            "sys.stdout.write(answers[sys.argv[2] if sys.argv[1] == 'show' else 'results'])\n",
            encoding="utf-8",
        )
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
        return main([str(tmp_path), *words, "--accepted", str(book), "--mutmut", str(fake)])

    return judge


@pytest.mark.parametrize(
    ("mutant", "function"),
    [
        (OPEN, "shop.till.Till.open"),
        (CLOSE, "shop.till._close"),
        ("shop.x_x_ray__mutmut_12", "shop.x_ray"),
    ],
)
def test_a_mutant_is_known_by_its_function(mutant, function):
    assert name_function(mutant) == function


def test_a_change_is_the_same_wherever_it_stands():
    shown = SHOWN.format(name=OPEN, limit=0)
    assert read_change(OPEN, shown) == CHANGE
    moved = shown.replace("    return", "        return").replace("-1,4 +1,4", "-90,4 +91,4")
    assert read_change(OPEN.replace("_4", "_77"), moved) == CHANGE


def test_a_change_of_several_lines_and_one_that_only_takes_away():
    shown = "--- a.py\n+++ a.py\n@@ -1 +1 @@\n-    f(\n-        --x,\n-    )\n"
    change = read_change(CLOSE, shown)
    assert change == Change("shop.till._close", "f(\n    --x,\n)", "")


def test_a_new_survivor_fails_and_is_shown(judge, tmp_path, capsys):
    assert judge({OPEN: "survived", CLOSE: "killed"}) == 1
    printed = capsys.readouterr().out
    for words in ("shop.till.Till.open", "- return left_s > 0", "+ return left_s >= 0"):
        assert words in printed
    assert (tmp_path / REPORT).read_text("utf-8") == printed


@pytest.mark.parametrize("status", ["no tests", "suspicious", "a status of tomorrow"])
def test_what_is_not_known_to_be_caught_has_survived(judge, status):
    assert judge({OPEN: status}) == 1


def test_what_is_accepted_passes_until_the_change_is_another(judge, book):
    assert judge({OPEN: "survived"}, "--accept", "a tie") == 1
    assert Accepted.read(book).reasons == {CHANGE: ["a tie"]}
    assert book.read_text("utf-8").startswith("# What it is.\n")
    assert judge({OPEN: "survived"}) == 0
    assert judge({OPEN: "survived"}, limit=1) == 1


def test_one_change_twice_in_a_function_is_accepted_twice(judge):
    twice = {OPEN: "survived", OPEN.replace("_4", "_9"): "survived"}
    judge({OPEN: "survived"}, "--accept", "a tie")
    assert judge(twice) == 1
    judge(twice, "--accept", "a tie")
    assert judge(twice) == 0


def test_an_accepted_one_that_is_caught_is_said_and_passes(judge, capsys):
    judge({OPEN: "survived"}, "--accept", "a tie")
    capsys.readouterr()
    assert judge({OPEN: "killed"}) == 0
    assert "shop.till.Till.open" in capsys.readouterr().out


def test_of_a_part_only_its_functions_are_judged(judge, capsys):
    judge({OPEN: "survived"}, "--accept", "a tie")
    capsys.readouterr()
    assert judge({OPEN: "not checked", CLOSE: "timeout"}, "shop.till.x__close*") == 0
    assert "Till.open" not in capsys.readouterr().out


@pytest.mark.parametrize("others", [{}, {CLOSE: "killed"}])
def test_a_run_that_did_not_end_fails(judge, others):
    assert judge({OPEN: "not checked", **others}) == 1


def test_a_run_without_mutants_fails(judge):
    assert judge({}) == 1


def test_survivors_of_a_module_that_nobody_has_read_are_counted(judge, book, capsys):
    book.write_text('unread = ["shop.till"]\n', encoding="utf-8")
    assert judge({OPEN: "survived", CLOSE: "survived"}) == 0
    assert "2 survived in shop.till" in capsys.readouterr().out


def test_our_file_gives_a_reason_for_each_and_names_modules_that_are_mutated():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    modules = {
        path.removeprefix("src/").removesuffix(".py").replace("/", ".")
        for path in settings["only_mutate"]
    }
    accepted = Accepted.read(ACCEPTED)
    assert modules >= set(accepted.unread)
    read = tuple(f"{module}." for module in modules - set(accepted.unread))
    assert accepted.reasons
    for change, whys in accepted.reasons.items():
        assert change.function.startswith(read)
        assert all(why.strip() for why in whys)


def test_every_module_that_is_mutated_is_there():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    for path in settings["only_mutate"]:
        inside = path.removeprefix("src/")
        assert [*ROOT.glob(inside), *ROOT.glob(f"*/{inside}")], path
