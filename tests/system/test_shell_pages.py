"""What four pages print is what a reader sees who pastes their commands into a clean shell.

The `sh` and `console` blocks of a page run in one shell, `facematch mock` runs beside it. A `text`
block is what the `sh` block above it prints; ``...`` stands for any lines.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
import requests
from kit.rawserver import free_port

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r'(?ms)^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$')
#: A block that is not run here either, with the block of its output.
NOT_HERE = re.compile(
    r"(?ms)^<!-- not run: (?:calls the real vendor|serves until it is killed) -->\n"
    r"(?:```.*?^```\n\n?){1,2}"
)
SERVE = re.compile(r"^facematch mock --port .*$", re.MULTILINE)
SETUP = re.compile(r"python3 -m venv |\. \w+/bin/activate|pip install ")
DONE = "--- done ---"


class Reader:
    """Somebody with two terminals, who reads a page from top to bottom."""

    def __init__(self, folder, environment):
        ours = ("PYTHON", "PYTEST", "FACEMATCH", "VIRTUAL_ENV")
        self.folder = folder
        self.env = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
        self.env |= {"PATH": f"{environment.bin}:{os.environ['PATH']}", "COLUMNS": "100"}
        self.mock = None
        self.shell = self._open("bash", stdin=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.port = free_port()

    def _open(self, *command, **options):
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, text=True, **options
        )

    def paste(self, commands):
        """What the commands print; the mock runs on in the other terminal."""
        commands = commands.replace("8080", str(self.port))
        served = SERVE.search(commands)
        if served:
            self.mock = self._open(*served[0].split())
            commands = commands.replace(served[0], "")
            begun = "".join(self.mock.stdout.readline() for _ in range(3))
        # `$?` stays that of the last command, and what it prints may end without a new line.
        self.shell.stdin.write(f"{commands}\n(code=$?; echo; echo '{DONE}'; exit $code)\n")
        self.shell.stdin.flush()
        printed = "".join(iter(self.shell.stdout.readline, f"{DONE}\n"))
        return (begun if served else printed).replace(str(self.port), "8080")

    def close(self):
        for process in filter(None, (self.shell, self.mock)):
            process.terminate()
            process.communicate(timeout=240)


@pytest.fixture(scope="module")
def environment(lasting_environment, wheel):
    environment = lasting_environment("pages")
    environment.install("pip", f"{wheel}[door,mock,testing]")
    return environment


@pytest.fixture
def reader(tmp_path, environment, find_program):
    for name in ("curl", "node", "grep"):
        find_program(name)
    reader = Reader(tmp_path, environment)
    yield reader
    reader.close()


def steps(page):
    """What is pasted, and what the page shows for it; None where it shows nothing."""
    blocks = [match.groupdict() for match in BLOCK.finditer(NOT_HERE.sub("", page))]
    for block, below in zip(blocks, [*blocks[1:], {"kind": ""}], strict=True):
        if block["title"]:
            yield f"cat > {block['title']} <<'END'\n{block['text']}END", None
        elif block["kind"] == "sh":
            # The environment is there already, with what the page installs.
            lines = [line for line in block["text"].splitlines() if not SETUP.match(line)]
            yield "\n".join(lines), below["text"] if below["kind"] == "text" else None
        elif block["kind"] == "console":
            for step in filter(None, re.split(r"^\$ ", block["text"], flags=re.MULTILINE)):
                command, _, shown = step.partition("\n")
                yield command.replace("[dev]", ""), shown


def shows(shown, printed):
    """Whether a page shows what was printed, but for versions, times and where lines break."""
    shown, printed = (
        re.sub(r"Python 3\S+ \S+|\bin [\d.]+s\b", "", text) for text in (shown, printed)
    )
    parts = re.split(r"^\.\.\.$", shown, flags=re.MULTILINE)
    parts = (re.escape(" ".join(part.split())) for part in parts)
    return re.fullmatch(".*".join(parts), " ".join(printed.split())) is not None


@pytest.mark.parametrize(
    "name",
    ["test/node.md", "test/use-the-mock.md", "test/open-a-door.md"],
)
def test_a_page_shows_the_current_shell_output(reader, name):
    # The last parts of these pages need Docker, or the right to make a network namespace.
    page, *_ = re.split("docker build|unshare", (DOCS / name).read_text())
    for command, shown in steps(page):
        printed = reader.paste(command)
        if "pip install" in command:
            assert "Successfully installed" in printed, printed
        elif shown is not None:
            assert shows(shown, printed), f"{command}\n{printed}"


def test_the_mock_accepts_each_row_of_the_settings_table(reader):
    page = (DOCS / "reference" / "mock.md").read_text()
    # One row is of another vendor than this mock's.
    rows = re.findall(r"`(?!azure/)([a-z/]+)` `(\{[^`]*\})`", page)
    assert len(rows) > 10
    reader.paste("facematch mock --port 8080 --switch in_review=true")
    for path, body in rows:
        url, kind = f"http://127.0.0.1:{reader.port}/__mock__/{path}", "application/json"
        answer = requests.post(url, data=body.encode(), headers={"Content-Type": kind}, timeout=20)
        assert (answer.status_code, answer.json() is None) == (200, False)
