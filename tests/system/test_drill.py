"""`facematch drill` with shops in Node, PHP, Ruby and Go, whose vendor's host is a constant."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from kit.commands import invoke_facematch
from kit.rawserver import free_port

PROGRAMS = Path(__file__).with_name("drill_programs")
PAGE = Path(__file__).parents[2] / "docs/test/node.md"
ENVIRONMENT = "env MISTAKE={mistake} FOLDER={folder}"
#: The vendor of each shop, and how it is started.
SHOPS = {
    "shop.mjs": ("onfido", "node shop.mjs {port} {mistake}"),
    "shop.php": (
        "veriff",
        "env MISTAKE={mistake} FOLDER={folder} php -S 127.0.0.1:{port} shop.php",
    ),
    "shop.rb": ("persona", "ruby shop.rb {port} {mistake}"),
    "shop.go": ("didit", "./shop {port} {mistake}"),
    # The program of the page about Node, as a shop.
    "page.mjs": ("didit", "node page.mjs {port}"),
}
#: The mistakes of each shop, with a story that shows it and its verdict.
MISTAKES = {
    ("shop.mjs", "completed is approved"): ("begin,other", "APPROVED WITHOUT A YES"),
    ("shop.mjs", "starts again at each click"): ("begin-twice,pass-all", "CHARGED TWICE"),
    ("shop.php", "verifies written again"): ("begin,pass", "verify the bytes received"),
    ("shop.php", "books at each event"): ("begin,pass,hooks-twice", "BOOKED TWICE"),
    ("shop.rb", "the last event wins"): ("begin,pass,hooks-reversed", "A YES WAS LOST"),
    ("shop.rb", "verifies nothing"): ("begin,unsigned", "ACCEPTS A FORGERY"),
    ("shop.go", "takes any age"): ("begin,pass,old", "ACCEPTS A REPLAY"),
    ("shop.go", "believes the unsigned time"): ("begin,pass,old", "ACCEPTS A REPLAY"),
    ("shop.go", "an outage is a no"): ("begin-503", "DECLINED WITHOUT A NO"),
    ("shop.go", "a yes stays"): ("begin,pass,hooks,overturn", "APPROVED WITHOUT A YES"),
}
#: Shops whose state counts bookings.
BOOKING = ("shop.mjs", "shop.php", "shop.rb")
#: Shops that keep their customers in memory: a kill rightly shows it.
IN_MEMORY = ("shop.mjs", "shop.rb", "shop.go", "page.mjs")
KILLS = {
    "the application restarts while the person is at the vendor",
    "the application is killed right after its 200",
}


@pytest.fixture
def drill(tmp_path, monkeypatch, find_program, run_command):
    def drill(program, mistake, *options):
        vendor, command = SHOPS[program]
        shutil.copy(PROGRAMS / program, tmp_path)
        for title, code in re.findall(
            r'```js title="(.*?)"\n(.*?)```', PAGE.read_text(), re.DOTALL
        ):
            (tmp_path / title).write_text(code)
        monkeypatch.chdir(tmp_path)
        if program == "shop.go":
            monkeypatch.setenv("GOCACHE", str(tmp_path / "cache"))
            run_command(find_program("go"), "build", "-o", "shop", "shop.go")
        else:
            find_program(command.removeprefix(ENVIRONMENT).split()[0])
        port = free_port()
        values = {"port": port, "mistake": mistake, "folder": tmp_path}
        started = [word.format(**values) for word in command.split()]
        url = f"http://127.0.0.1:{port}"
        words = ["--vendor", vendor, "--webhook", f"{url}/webhook"]
        if program in BOOKING:
            words += ["--once", "booked"]
        words += ["--begin", f"POST {url}/verify?customer={{customer}}"]
        words += ["--state", f"{url}/state?customer={{customer}}", *options]
        return invoke_facematch("drill", *words, "--", *started)

    return drill


@pytest.mark.parametrize(("program", "mistake"), MISTAKES)
def test_mistake_is_found_by_its_story(drill, program, mistake):
    story, said = MISTAKES[program, mistake]
    answer = drill(program, mistake, "--play", story)
    assert answer.exit_code == 1, answer.output
    assert said in answer.output


@pytest.mark.parametrize("program", SHOPS)
def test_right_shop_is_accused_by_no_story(drill, program):
    answer = drill(program, "none")
    assert answer.exit_code in (0, 1), answer.output
    wrong = set(re.findall(r"^WRONG  (.*): [A-Z ,]+$", answer.stdout, re.MULTILINE))
    assert wrong <= (KILLS if program in IN_MEMORY else set()), answer.output


#: Broken shops at Stripe in three languages, and how they are started.
BROKEN = {
    "broken.py": f"{sys.executable} broken.py {{port}} {{way}}",
    "broken.mjs": "node broken.mjs {port} {way}",
    "broken.php": "env WAY={way} FOLDER={folder} php -S 127.0.0.1:{port} broken.php",
}
LANGUAGES = pytest.mark.parametrize("program", BROKEN)


@pytest.fixture
def broken(tmp_path, monkeypatch, find_program):
    def broken(program, way, *options, state="state"):
        shutil.copy(PROGRAMS / program, tmp_path)
        monkeypatch.chdir(tmp_path)
        port = free_port()
        values = {"port": port, "way": shlex.quote(way), "folder": tmp_path}
        command = shlex.split(BROKEN[program].format(**values))
        find_program(next(word for word in command if "=" not in word and word != "env"))
        url = f"http://127.0.0.1:{port}"
        words = ["--vendor", "stripe", "--webhook", f"{url}/webhook"]
        words += ["--begin", f"POST {url}/verify?customer={{customer}}"]
        words += ["--state", f"{url}/{state}?customer={{customer}}", *options, "--", *command]
        # In a process of its own, because Flask's traceback is shown.
        main = [sys.executable, "-c", "from facematch_core.cli import main; main()", "drill"]
        return subprocess.run(
            [*main, *words], check=False, capture_output=True, text=True, timeout=240
        )

    return broken


def written(answer):
    return answer.stdout.partition("The application wrote:")[2]


@LANGUAGES
def test_first_begin_that_fails_shows_its_status_and_what_the_application_wrote(broken, program):
    answer = broken(program, "no migration")
    assert answer.returncode == 3
    assert "answered 500 to the first --begin" in answer.stdout
    assert "no such table: customers" in written(answer)
    assert "paid" not in answer.stdout


@LANGUAGES
def test_error_in_a_story_is_shown_and_not_the_reads_of_the_drill(broken, program):
    answer = broken(program, "bug in the receiver", "--play", "begin,pass")
    assert answer.returncode == 1
    assert "REFUSES WEBHOOKS" in answer.stdout
    assert "no column named session" in written(answer)


@LANGUAGES
def test_crash_names_its_story_and_ends_the_drill_after_three_in_a_row(broken, program, tmp_path):
    answer = broken(program, "crashes", "--junit", "drill.xml")
    assert answer.returncode == 3
    assert len(re.findall(r"^WRONG  .*CRASHES", answer.stdout, re.MULTILINE)) == 3
    assert "out of memory" in written(answer)
    assert "three stories in a row" in answer.stdout
    cases = ET.parse(tmp_path / "drill.xml").getroot()
    assert [case.find("failure") is not None for case in cases] == [True] * 3


@LANGUAGES
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--once", "bookd"), "--once bookd: the state has no such field; it has booked, state"),
        (("--once", "state"), "is no number and no list"),
    ],
)
def test_field_of_once_that_counts_nothing_is_no_verdict(broken, program, options, said):
    answer = broken(program, "none", "--play", "begin,pass", *options)
    assert answer.returncode == 3
    assert said in answer.stdout


@LANGUAGES
def test_state_that_never_answers_is_said_once(broken, program):
    answer = broken(program, "none", state="no-such-route")
    assert answer.returncode == 3
    assert "No answer of --state could be read: it answers 404" in answer.stdout
    assert "WRONG" not in answer.stdout
