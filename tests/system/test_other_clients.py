"""The mock server and clients that others wrote: curl, node and Microsoft's."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from facematch_mock_server import MockServer, card_sheet

PATH = "/v3/face-match/"
SHEET = card_sheet()


@pytest.fixture
def mock():
    with MockServer(seed=6) as running:
        yield running


@pytest.fixture
def cards(tmp_path):
    for name, card in (("selfie.png", "p1-again"), ("id.png", "p1"), ("big.png", "p1")):
        (tmp_path / name).write_bytes(SHEET[card].data)
    # Bytes after its end make a picture longer, and no other picture.
    with (tmp_path / "big.png").open("ab") as file:
        file.write(b"\0" * 1_500_000)
    return tmp_path


@pytest.fixture
def curl(find_program, run_command, cards):
    path = find_program("curl")

    def run(*arguments):
        quiet = ("--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}")
        printed = run_command(path, *quiet, *arguments, cwd=cards)
        body, _, status = printed.rpartition("\n")
        return int(status), body

    return run


def test_curl_sends_a_form_at_once_and_after_100_continue_in_chunks(curl, mock):
    pictures = ("-F", "user_image=@big.png", "-F", "ref_image=@id.png")
    form = ("-H", f"x-api-key: {mock.live_key}", *pictures, "-F", "vendor_data=emp 0042")
    for more in ((), ("-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue")):
        status, body = curl(*more, *form, mock.url + PATH)
        answer = json.loads(body)
        assert (status, answer["face_match"]["status"]) == (200, "Approved")
        assert answer["vendor_data"] == "emp 0042"
    sizes = [file.size for entry in mock.control.journal() for file in entry.files]
    assert sizes[0] == sizes[2] > 1_500_000


def test_the_printed_lines_can_be_pasted_in_an_empty_folder(find_program, tmp_path, monkeypatch):
    find_program("curl")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    command = [sys.executable, "-c", "from facematch_core.cli import main; main()", "mock"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            if line.strip().startswith(("mkdir", "curl")):
                printed = subprocess.check_output(line, shell=True, cwd=tmp_path, timeout=240)
            if line.strip().startswith("curl"):
                break
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=240)
    assert json.loads(printed)["face_match"]["status"] == "Approved"
    assert process.returncode == 130  # Ctrl-C


NODE = """
const fs = require("fs");
const [url, key] = process.argv.slice(1);

async function ask(path, pictures, fields = {}) {
  const form = new FormData();
  for (const [name, file] of Object.entries(pictures))
    form.append(name, new Blob([fs.readFileSync(file)], {type: "image/png"}), file);
  for (const [name, text] of Object.entries(fields)) form.append(name, text);
  const answer = await fetch(url + path, {
    method: "POST", headers: {"x-api-key": key}, body: form,
  });
  return {status: answer.status, mock: answer.headers.get("x-facematch-mock"),
          body: await answer.json()};
}

async function control(path, body) {
  const answer = await fetch(`${url}/__mock__/${path}`, body && {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body),
  });
  return answer.json();
}

async function main() {
  const match = () => ask("/v3/face-match/", {user_image: "big.png", ref_image: "id.png"},
                          {vendor_data: "emp-ü", metadata: JSON.stringify({gate: "north"})});
  const found = [await match(), await ask("/v3/passive-liveness/", {user_image: "selfie.png"})];
  await control("outcomes", {kind: "match", score: 3});
  found.push(await match());
  found.push(await ask("/v3/face-match/", {user_image: "selfie.png"}));
  found.push(...await Promise.all(Array.from({length: 20}, match)));
  await control("faults", {stage: "mid_body", kind: "reset"});
  const broken = await match().then(() => "an answer", error => error.name);
  console.log(JSON.stringify({found, broken, ledger: await control("ledger")}));
}

main();
"""


def test_fetch_of_node_twenty_calls_at_once_and_a_broken_connection(
    find_program, run_command, mock, cards
):
    node = find_program("node")
    printed = run_command(node, "-e", NODE, mock.url, mock.live_key, cwd=cards)
    seen = json.loads(printed)
    match, liveness, set_by_control, refused, *many = seen["found"]
    assert match["status"] == liveness["status"] == 200
    assert match["mock"]
    assert match["body"]["face_match"]["status"] == "Approved"
    assert match["body"]["vendor_data"] == "emp-ü"
    assert match["body"]["metadata"] == {"gate": "north"}
    assert liveness["body"]["liveness"]["status"] == "Approved"
    assert set_by_control["body"]["face_match"]["score"] == 3
    assert (refused["status"], refused["body"]) == (400, {"ref_image": ["No file was submitted."]})
    assert len({answer["body"]["request_id"] for answer in many}) == 20
    assert seen["broken"] in {"TypeError", "Error"}
    # The broken answer was paid for as well.
    assert len(seen["ledger"]["entries"]) == len(mock.control.charges()) == 24


AZURE_CLIENT = "@azure-rest/ai-vision-face@1.0.0-beta.3"
AZURE_SESSIONS = Path(__file__).with_name("azure_sessions.mjs")

LIVENESS, WITH_VERIFY = "/detectLiveness-sessions", "/detectLivenessWithVerify-sessions"


@pytest.fixture(scope="module")
def seen(find_program, install_from_npm, run_command, tmp_path_factory):
    folder = tmp_path_factory.mktemp("npm")
    node = find_program("node")
    reference = folder / "p1.png"
    reference.write_bytes(SHEET["p1"].data)
    (folder / "sessions.mjs").write_text(AZURE_SESSIONS.read_text("utf-8"), "utf-8")
    install_from_npm(folder, AZURE_CLIENT)
    with MockServer(vendor="azure") as mock:
        words = ("sessions.mjs", mock.url, mock.live_key, reference)
        printed = run_command(node, *words, cwd=folder)
    return json.loads(printed)


@pytest.mark.parametrize("path", [LIVENESS, WITH_VERIFY])
def test_microsofts_node_client_completes_a_session(seen, path):
    of = seen[path]
    answers = [of["start"], of["between"], of["read"]]
    assert [(each["status"], each["unexpected"]) for each in answers] == [("200", False)] * 3
    # The token is in the answer to the start alone.
    assert [bool(each["body"]["authToken"]) for each in answers] == [True, False, False]
    numbers = [[a["attemptId"] for a in each["body"]["results"]["attempts"]] for each in answers]
    assert numbers == [[], [1], [2, 1]]
    result = of["read"]["body"]["results"]["attempts"][0]["result"]
    assert result["livenessDecision"] == "realface"
    assert ("verifyResult" in result) is (path == WITH_VERIFY)
    if path == WITH_VERIFY:
        confidence = pytest.approx(0.95466, abs=1e-5)
        assert result["verifyResult"] == {"matchConfidence": confidence, "isIdentical": True}
    assert of["bytes"] == len(SHEET["p1-again"].data)
    deleted, gone = of["gone"]
    assert (deleted["status"], deleted["unexpected"]) == ("204", False)
    assert (gone["status"], gone["code"]) == ("404", "SessionNotFound")


def test_microsofts_node_client_parses_an_error(seen):
    refused = seen["refused"]
    assert (refused["status"], refused["unexpected"]) == ("400", True)
    assert refused["body"]["error"]["code"] == refused["code"] == "InvalidDeviceCorrelationId"
