"""What the workflows call, run here."""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github/workflows"
COMPRE_FACE_KEY = ROOT / ".github/scripts/compreface_key.py"


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
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_key_of_compreface_is_made_by_its_admin_api(admin):
    done = make_key(admin)
    assert (done.stdout, done.stderr) == ("key-of-the-service\n", "")


def test_refusal_of_compreface_is_one_sentence(admin):
    done = make_key(f"{admin}/elsewhere")
    assert done.returncode == 1
    assert done.stderr == "CompreFace gave no key: HTTPError 403\n"
    assert done.stdout == ""


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
