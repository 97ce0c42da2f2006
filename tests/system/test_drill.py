"""`facematch drill` with shops in Node, PHP, Ruby and Go, whose vendor's host is a constant."""

import re
import shutil
from pathlib import Path

import pytest
from kit.commands import invoke_facematch
from kit.rawserver import free_port

PROGRAMS = Path(__file__).with_name("drill_programs")
PAGE = Path(__file__).parents[2] / "docs/apps/node.md"
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
    ("shop.go", "an outage is a no"): ("begin-503", "DECLINED WITHOUT A NO"),
    ("shop.go", "a yes stays"): ("begin,pass,hooks,overturn", "APPROVED WITHOUT A YES"),
}
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
        words = ["--vendor", vendor, "--webhook", f"{url}/webhook", "--once", "booked"]
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
    wrong = set(re.findall(r"^WRONG  (.*): [A-Z ,]+$", answer.stdout, re.MULTILINE))
    assert wrong <= (KILLS if program in IN_MEMORY else set()), answer.output
