"""What the workflows call, run here."""

import json
import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs

import certifi
import pytest
import requests
import yaml
from kit.repository import tracked_files

from facematch_comparison.cli.list_prices import read_facts
from facematch_mock_server.vendors import vendor_names

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github/workflows"
COMPRE_FACE_KEY = ROOT / ".github/scripts/compreface_key.py"
LIST_PRICE = ROOT / ".github/scripts/list_price.py"


class CompreFace(BaseHTTPRequestHandler):
    """CompreFace's admin API, as its Java source has it."""

    protocol_version = "HTTP/1.1"
    users: ClassVar = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_in = self.headers.get("Cookie") == "CFSESSION=token-7"
        if self.path == "/admin/user/register":
            user = json.loads(body)
            self.users[user["email"]] = user
            self.answer(201)
        elif self.path == "/admin/oauth/token":
            form = {name: values[0] for name, values in parse_qs(body).items()}
            user = self.users.get(form["username"])
            is_right = user is not None and user["password"] == form["password"]
            is_client = self.headers["Authorization"] == "Basic Q29tbW9uQ2xpZW50SWQ6cGFzc3dvcmQ="
            if is_right and is_client and form["grant_type"] == "password":
                self.answer(200, {}, cookie="CFSESSION=token-7; Path=/admin; HttpOnly")
            else:
                self.answer(401)
        elif self.path == "/admin/app" and is_in:
            self.answer(201, {"id": "app-1", **json.loads(body)})
        elif self.path == "/admin/app/app-1/model" and is_in:
            assert json.loads(body)["type"] == "VERIFY"
            self.answer(201, {"id": "model-1", "apiKey": "key-of-the-service"})
        else:
            self.answer(403)

    def answer(self, status, body=None, cookie=None):
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def admin():
    server = ThreadingHTTPServer(("127.0.0.1", 0), CompreFace)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def make_key(url):
    command = [sys.executable, "-W", "error", COMPRE_FACE_KEY, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_key_of_compreface_is_made_by_its_admin_api(admin):
    done = make_key(admin)
    assert (done.stdout, done.stderr) == ("key-of-the-service\n", "")


def test_refusal_of_compreface_is_one_sentence(admin):
    done = make_key(f"{admin}/elsewhere")
    assert done.returncode == 1
    assert done.stderr == "CompreFace gave no key: HTTPError 403\n"
    assert done.stdout == ""


def print_price(vendor, max_calls):
    command = [sys.executable, "-W", "error", LIST_PRICE, vendor, max_calls]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("vendor", vendor_names())
def test_number_of_calls_and_list_price_are_told_before_a_run_is_approved(vendor):
    done = print_price(vendor, "20")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"At most 20 calls to {vendor}. List price: ")
    assert read_facts()[vendor]["price"] in done.stdout


@pytest.mark.parametrize(
    ("vendor", "max_calls", "named"),
    [("nobody", "20", "didit"), ("didit", "0", "'0'"), ("didit", "$(id)", "'$(id)'")],
)
def test_run_without_a_vendor_or_a_number_of_calls_is_refused(vendor, max_calls, named):
    done = print_price(vendor, max_calls)
    assert (done.returncode, done.stdout) == (1, "")
    assert named in done.stderr


ACTION = ROOT / ".github/actions/mock/action.yml"
CALL = """
import os, requests
from facematch_mock_server import card_sheet
card = card_sheet()["p1"].data
answer = requests.post(
    "https://verification.didit.me/v3/face-match/",
    headers={"x-api-key": "the-programs-own-key"},
    files={"user_image": ("a.png", card), "ref_image": ("b.png", card)},
    timeout=240,
)
print(answer.json()["face_match"]["status"], os.environ["FACEMATCH_MOCK_URL"])
"""


@pytest.fixture
def runner(tmp_path):
    """Run a step as GitHub does, in a clean folder, with the variables of the steps before."""
    file = tmp_path / "github-env"
    file.touch()
    (tmp_path / "work").mkdir()
    steps = yaml.safe_load(ACTION.read_text("utf-8"))["runs"]["steps"]
    scripts = {step["name"]: step["run"] for step in steps}
    base = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ENV": str(file),
    }

    def run(command, **variables):
        earlier = dict(line.split("=", 1) for line in file.read_text().splitlines())
        if isinstance(command, str):
            options = ["--noprofile", "--norc", "-eo", "pipefail"]
            command = ["bash", *options, "-c", scripts[command]]
        return subprocess.run(
            command,
            env=base | earlier | variables,
            cwd=tmp_path / "work",
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    run.variables = lambda: dict(line.split("=", 1) for line in file.read_text().splitlines())
    yield run
    run("Stop")


def test_action_brings_an_unchanged_program_to_the_mock_and_stops_it(runner, tmp_path):
    started = runner("Start", OPTIONS="--vendor didit --any-key", PYTHONPATH="own")
    assert started.returncode == 0, started.stdout + started.stderr
    variables = runner.variables()
    assert "NODE_OPTIONS" not in variables
    assert Path(variables["FACEMATCH_DOOR_CA"]).is_file()
    assert variables["JAVA_TOOL_OPTIONS"].startswith("-Dhttps.proxyHost=127.0.0.1 ")
    called = runner([sys.executable, "-c", CALL])
    assert called.stdout == f"Approved {variables['FACEMATCH_MOCK_URL']}\n", called.stderr
    assert runner("Stop").returncode == 0
    assert runner.variables()["HTTPS_PROXY"] == ""
    assert runner.variables()["PYTHONPATH"] == "own"
    # With an empty file of authorities boto3 cannot call AWS.
    assert runner.variables()["AWS_CA_BUNDLE"] == certifi.where()
    assert list((tmp_path / "work").iterdir()) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(variables["FACEMATCH_MOCK_URL"], timeout=10)


def test_action_fails_with_what_the_mock_says(runner):
    started = runner("Start", OPTIONS="--vendor nobody")
    assert started.returncode == 1
    assert "nobody" in started.stdout


WORKFLOW_FILES = sorted(WORKFLOWS.glob("*.yml"))


@pytest.mark.parametrize("file", WORKFLOW_FILES, ids=lambda file: file.stem)
def test_actions_are_pinned_by_commit_and_no_workflow_writes_by_default(file):
    workflow = yaml.safe_load(file.read_text("utf-8"))
    assert set(workflow["permissions"].values() if workflow["permissions"] else ()) <= {"read"}
    for job in workflow["jobs"].values():
        for step in job.get("steps", ()):
            used = step.get("uses")
            assert used is None or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used), used
    # With the secrets of the repository they would run code of whoever opens a pull request.
    assert {"pull_request_target", "workflow_run"}.isdisjoint(workflow[True])


def test_no_other_job_may_write():
    granted = set()
    for file in WORKFLOW_FILES:
        for name, job in jobs_of(file.name).items():
            for scope, access in (job.get("permissions") or {}).items():
                if access != "read":
                    granted.add(f"{file.stem} {name}: {scope}")
    assert granted == {
        "codeql analyze: security-events",
        "compare pull-requests: contents",
        "compare pull-requests: pull-requests",
        "release image: packages",
        "release notes: contents",
        "release publish: id-token",
        "release site: contents",
        "release test-index: id-token",
        "weekly issue: issues",
    }


def test_licence_and_security_policy_are_where_github_finds_them():
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert "## Reporting a vulnerability" in (ROOT / "SECURITY.md").read_text("utf-8")


def test_images_are_pinned_by_digest():
    ends = ("Dockerfile", "compose.yaml")
    files = [name for name in tracked_files() if name.endswith(ends)]
    # The examples of other languages have the image of the reader's application, by its version.
    of_readers = [name for name in files if re.match(r"docs/examples/compose/\w+/", name)]
    assert (len(files), len(of_readers)) == (7, 4)
    for name in files:
        text = (ROOT / name).read_text("utf-8")
        version = r":\d[\w.-]*" if name in of_readers else r"\S*@sha256:[0-9a-f]{64}"
        for image in re.findall(r"(?m)^(?:FROM|\s+image:) +(\S+)", text):
            assert re.fullmatch(rf"[\w./-]+{version}", image), f"{name}: {image}"


def test_codeql_analyses_each_language_of_the_repository():
    suffixes = {Path(name).suffix for name in tracked_files()}
    languages = {".py": "python", ".mjs": "javascript-typescript", ".yml": "actions"}
    analysed = jobs_of("codeql.yml")["analyze"]["strategy"]["matrix"]["language"]
    assert {languages[suffix] for suffix in suffixes & languages.keys()} == set(analysed)
    triggers = yaml.safe_load((WORKFLOWS / "codeql.yml").read_text("utf-8"))[True]
    assert {"push", "pull_request"} <= triggers.keys()


def test_dependabot_updates_all_that_is_pinned():
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text("utf-8"))["updates"]
    folders = {
        update["package-ecosystem"]: set(update.get("directories") or [update["directory"]])
        for update in updates
    }
    assert folders == {
        "github-actions": {"/"},
        "pip": {"/", "/requirements"},
        "docker": {"/", "/docs/examples/compose"},
    }


def test_no_compiled_program_is_in_the_repository():
    compiled = re.compile(r"\.(exe|dll|so|dylib|jar|class|pyc|wasm)$")
    assert not [name for name in tracked_files() if compiled.search(name)]


def jobs_of(name):
    return yaml.safe_load((WORKFLOWS / name).read_text("utf-8"))["jobs"]


def test_only_the_job_without_packages_may_write_and_no_recording_is_kept():
    jobs = jobs_of("compare.yml")
    writers = [
        name for name, job in jobs.items() if "write" in (job.get("permissions") or {}).values()
    ]
    assert writers == ["pull-requests"]
    for name in ("images", "vendors"):
        (upload,) = [step for step in jobs[name]["steps"] if "upload" in step.get("uses", "")]
        assert upload["with"]["retention-days"] == 1
    assert not [step for step in jobs["pull-requests"]["steps"] if "make" in step.get("run", "")]
    assert "secrets" not in json.dumps({name: jobs[name] for name in ("images", "price")})
    assert jobs["vendors"]["environment"].startswith("vendor-")
    assert jobs["vendors"]["needs"] == "price"


def test_web_sdks_run_weekly_and_not_with_each_change():
    jobs = jobs_of("weekly.yml")
    assert "make test-web" in [step.get("run") for step in jobs["web"]["steps"]]
    assert set(jobs["issue"]["needs"]) == jobs.keys() - {"issue"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    web = re.search(r"(?m)^WEB := (.+)$", makefile)[1]
    assert (ROOT / web).is_file()
    assert "--ignore=$(WEB) tests/system" in makefile


def test_each_target_that_a_workflow_makes_does_something():
    """For make a name in .PHONY is made without a word if it has no rule."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.search(r"(?m)^\.PHONY: (.+)$", makefile)[1].split())
    for workflow in (ROOT / ".github/workflows").glob("*.yml"):
        named |= set(re.findall(r"(?<!-)\bmake ([a-z-]+)", workflow.read_text("utf-8")))
    rules = set(re.findall(r"(?m)^([a-z-]+):(?!=)", makefile))
    assert "compare-deepface" in named
    assert named - rules == set()
