"""A server that nobody knows is recorded and replayed whole, and nothing private is written."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading

import pytest
from kit.cards import CARDS
from kit.commands import invoke_facematch

from facematch_core.testing import find_leaks

HOST = "api.facecheck.test"
FACEMATCH = [sys.executable, "-c", "from facematch_core.cli import main; main()"]
PRIVATE = {
    "given": "Zoraida",
    "family": "Quenneville",
    "joined": "ZoraidaQuenneville",
    "snake": "zoraida_quenneville",
    "capitals": "QUENNEVILLE",
    "mail": "zora.q@mailbox.test",
    "phone": "+32 470 12 34 56",
    "digits": "32470123456",
    "born": "1974-08-23",
    "born_time": "1974-08-23T11:42:07Z",
    "year": 1974,
    "street": "Zeedijk 481 bus 7",
    "town": "Knokke-Heist",
    "postcode": "SW1A 2AA",
    "lat": 51.348219,
    "lon": "3.287311",
    "passport": "BQX4471902",
    "national": 74082312345,
    "iban": "BE71096123456769",
    "mrz": "P<BELQUENNEVILLE<<ZORAIDA<<<<<<<<<",
    "ip": "203.0.113.199",
    "device": "Zoraidas-iPhone-14",
    "agent": "ZoraidaBrowser/12.7",
    "company": "Quenneville Baggerwerken",
    "note": "she moved in spring",
    "key": "fk-live-Zx8kQ2mPlT5vWn3R7f3a",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6b3JhaWRhIn0.c2lnbmF0dXJlMTIz",
    "cookie": "sessionid77xQpLz",
    "person_id": "per_8Hq2LmZx71",
    "case_id": "7d1f2a66-9b1e-4c0e-8d75-3d0a5c6c9e11",
    "hex_id": "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "number_id": 48213377,
    "short_id": "kQzWxVbT",
    "file": "zoraida_passport_scan",
    "header": "quenneville-header",
    "link": "https://cdn.private.test/zq/selfie.png?sig=Qq81xx",
    "locale": "nl-BE-quenneville",
    "plate": "1-ABC-447",
    "blood": "rhesus-negative",
    "template": [round((-1) ** i * (i % 17 + 0.5) / 17, 6) for i in range(128)],
}
BOUNDARY = "boundary-quenneville-5521"


class FaceCheck(http.server.BaseHTTPRequestHandler):
    """A vendor that nobody knows. Its second answer to a check is another one."""

    protocol_version = "HTTP/1.1"
    checks = 0

    def do_POST(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def log_message(self, *_):
        pass

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        p = PRIVATE
        cls = type(self)
        path = self.path.partition("?")[0]
        if path == "/api/v2/people":
            return self.send(201, {"personId": p["person_id"], "givenName": p["given"], **p})
        if path.endswith("/photos"):
            return self.send(200, {"photo": {"ref": p["hex_id"]}, "vector": p["template"]})
        if path.endswith("/face-checks"):
            return self.send(202, {"caseRef": p["case_id"], "status": "queued"})
        if path.startswith("/api/v2/face-checks/"):
            cls.checks += 1
            if cls.checks == 1:
                return self.send(429, {"code": "slow_down"}, ("Retry-After", "3"))
            answer = {"status": "matched", "similarity": 0.9731, "decision": {"verdict": "genuine"}}
            answer |= {"by": p["family"], "seen": p["born_time"], "caseRef": p["case_id"]}
            return self.send(200, answer, ("X-RateLimit-Remaining", "41"))
        return self.send(404, {"code": "unknown_path", "detail": f"{p['given']} is not here"})

    def send(self, status, body, *headers):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Set-Cookie", f"id={PRIVATE['cookie']}")
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(content)


PROGRAM = f"""
import json, sys, requests
p = json.loads({json.dumps(json.dumps(PRIVATE))})
picture = open(sys.argv[1], "rb").read()
session = requests.Session()
session.headers.update({{"Authorization": "Bearer " + p["key"], "User-Agent": p["agent"]}})
session.headers["X-" + p["header"]] = p["cookie"]
root = "https://{HOST}/api/v2"
seen = []
def note(answer, *names):
    body = answer.json()
    facts = [answer.status_code, answer.headers.get("Retry-After")]
    for name in names:
        value = body
        for step in name.split("."):
            value = value[step]
        facts.append(value)
    seen.append(facts)
    return body
person = {{**p, "givenName": p["given"], p["snake"]: 1}}
made = note(session.post(root + "/people?email=" + p["mail"], json=person))
assert "givenName" in made
url = root + "/people/" + made["personId"]
files = {{"front": (p["file"] + ".jpg", picture, "image/jpeg")}}
photo = note(session.post(url + "/photos", data={{"kind": p["capitals"]}}, files=files))
assert len(photo["vector"]) == 128 and photo["photo"]["ref"]
reference = {{"photoRef": photo["photo"]["ref"]}}
started = note(session.post(url + "/face-checks", json=reference), "status")
check = root + "/face-checks/" + started["caseRef"]
note(session.get(check))
done = note(session.get(check), "status", "similarity", "decision.verdict")
assert done["caseRef"] == started["caseRef"]
note(session.get(root + "/people/" + p["short_id"] + "/" + p["joined"]))
print(json.dumps(seen))
"""
KEPT = ["status", "similarity", "verdict"]


@pytest.fixture
def upstream():
    FaceCheck.checks = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FaceCheck)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(tmp_path):
    """Run the program behind the door with these options; return what it saw, and what was said."""
    (tmp_path / "card.jpg").write_bytes(CARDS["p1"])

    def run_once(*options):
        door = [*FACEMATCH, "mock", "--door", "--door-host", HOST, *options]
        program = [sys.executable, "-c", PROGRAM, "card.jpg"]
        done = subprocess.run(
            [*door, "--", *program],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    return run_once


def forms_of(value):
    if isinstance(value, list):
        return [", ".join(map(str, value[:3])), *map(str, value[20:24])]
    return [str(value)]


def test_unknown_server_is_recorded_and_replayed_whole_without_a_private_value(
    run, upstream, tmp_path
):
    assert len(PRIVATE) == 40
    options = [word for name in KEPT for word in ("--keep", name)]
    record = ("--record", "out.json", "--max-calls", "9", "--upstream", upstream)
    recorded, said = run(*record, *options)
    text = (tmp_path / "out.json").read_text()
    found = [
        form
        for value in PRIVATE.values()
        for form in forms_of(value)
        if form.lower() in text.lower() or (len(form) > 5 and find_leaks(form, text))
    ]
    assert found == []
    for part in ("zoraida", "quenneville", BOUNDARY):
        assert part not in text.lower()
    assert "not in the file" not in said
    replayed, _ = run("--replies", "out.json")
    assert replayed == recorded
    assert [facts[0] for facts in replayed] == [201, 200, 202, 429, 200, 404]
    assert replayed[3][1] == "3"
    assert replayed[4][2:] == ["matched", 0.9731, "genuine"]
    assert re.search(r"no source has.*face-checks", said)


def test_two_recordings_of_an_unknown_server_are_compared(run, upstream, tmp_path):
    run("--record", "may.json", "--max-calls", "9", "--upstream", upstream, "--keep", "status")
    may = tmp_path / "may.json"
    assert invoke_facematch("parity", str(may), str(may)).exit_code == 0
    document = json.loads(may.read_text())
    changed = document["mappings"][2]["response"]
    changed["jsonBody"]["status"] = "waiting"
    changed["jsonBody"]["eta"] = 5
    november = tmp_path / "november.json"
    november.write_text(json.dumps(document))
    answer = invoke_facematch("parity", str(may), str(november), "--json")
    report = json.loads(answer.stdout)
    assert (answer.exit_code, report["counts"]["different"]) == (1, 1)
    (differing,) = [each for each in report["exchanges"] if each["result"] == "different"]
    assert {each["aspect"] for each in differing["differences"]} == {"words status", "shape eta"}
    assert invoke_facematch("parity", str(may), str(november), "--mark").exit_code == 2
