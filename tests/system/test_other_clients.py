"""The mock server and clients of other languages: curl, and `fetch` of node with FormData."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet

PATH = "/v3/face-match/"
SHEET = card_sheet()


@pytest.fixture
def mock():
    """A running server."""
    with MockServer(seed=6) as running:
        yield running


@pytest.fixture
def cards(tmp_path):
    """Two ready cards as files, as a person would name them."""
    for name, card in (("selfie.png", "p1-again"), ("id.png", "p1"), ("big.png", "p1")):
        (tmp_path / name).write_bytes(SHEET[card].data)
    # Bytes after its end make a picture longer, and no other picture.
    with (tmp_path / "big.png").open("ab") as file:
        file.write(b"\0" * 1_500_000)
    return tmp_path


@pytest.fixture
def curl(find_program, run_command, cards):
    """Runs curl in the folder of the cards; status and body."""
    path = find_program("curl")

    def run(*arguments):
        printed = run_command(
            *(path, "--silent", "--show-error", "--max-time", "20"),
            *("--write-out", "\n%{http_code}"),
            *arguments,
            cwd=cards,
        )
        body, _, status = printed.rpartition("\n")
        return int(status), body

    return run


def form(mock, *, selfie="selfie.png"):
    """The arguments of curl for a comparison."""
    key = ("-H", f"x-api-key: {mock.live_key}")
    return (*key, "-F", f"user_image=@{selfie}", "-F", "ref_image=@id.png", mock.url + PATH)


def test_curl(curl, mock):
    """A form as curl writes it, fields and all."""
    fields = ("-F", "vendor_data=emp 0042", "-F", "face_match_score_decline_threshold=41.5")
    status, body = curl(*fields, *form(mock))
    answer = json.loads(body)
    assert (status, answer["face_match"]["status"]) == (200, "Approved")
    assert answer["vendor_data"] == "emp 0042"


def test_curl_waits_for_100_continue(curl, mock):
    """A body over a megabyte is announced first; with chunks its length is not."""
    status, _ = curl(*form(mock, selfie="big.png"))
    assert status == 200
    more = ("-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue")
    status, _ = curl(*more, *form(mock, selfie="big.png"))
    assert status == 200
    sizes = [file.size for entry in mock.control.journal() for file in entry.files]
    assert sizes[0] == sizes[2] > 1_500_000


def test_curl_is_refused_in_the_vendors_words(curl, mock):
    """A wrong key, a missing file, another method."""
    status, body = curl("-H", "x-api-key: wrong", "-F", "ref_image=@id.png", mock.url + PATH)
    assert (status, json.loads(body)) == (
        403,
        {"detail": "You do not have permission to perform this action."},
    )
    key = ("-H", f"x-api-key: {mock.live_key}")
    status, body = curl(*key, "-F", "ref_image=@id.png", mock.url + PATH)
    assert (status, json.loads(body)) == (400, {"user_image": ["No file was submitted."]})
    status, body = curl(*key, mock.url + PATH)
    assert (status, json.loads(body)) == (405, {"detail": 'Method "GET" not allowed.'})
    status, body = curl(*key, "--head", mock.url + "/system/healthcheck")
    assert status == 200


def test_curl_controls_the_mock(curl, mock):
    """What a test in another language does: set an outcome, ask, read the ledger."""
    as_json = ("-H", "Content-Type: application/json")
    outcome = json.dumps({"kind": "match", "score": 12})
    status, _ = curl(*as_json, "-d", outcome, mock.control_url + "outcomes")
    assert status == 200
    _, body = curl(*form(mock))
    assert json.loads(body)["face_match"]["status"] == "Declined"
    _, body = curl(mock.control_url + "ledger")
    assert json.loads(body)["balance"] == "99.9500"


def test_the_printed_lines_can_be_pasted(find_program, tmp_path, monkeypatch):
    """By a shell, in an empty folder: the first makes cards, the second sends two."""
    find_program("curl")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    process = subprocess.Popen(
        [sys.executable, "-c", "from facematch_core.cli import main; main()", "mock"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout:
            if line.strip().startswith(("facematch cards", "curl")):
                done = subprocess.run(
                    line, shell=True, capture_output=True, cwd=tmp_path, check=True, timeout=60
                )
            if line.strip().startswith("curl"):
                break
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert json.loads(done.stdout)["face_match"]["status"] == "Approved"
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


def test_fetch_of_node(find_program, run_command, mock, cards):
    """FormData, twenty calls at once, the control API, and a connection that breaks."""
    node = find_program("node")
    printed = run_command(node, "-e", NODE, mock.url, mock.live_key, cwd=cards)
    told = json.loads(printed)
    match, liveness, set_by_control, refused, *many = told["found"]
    assert match["status"] == liveness["status"] == 200
    assert match["mock"]
    assert match["body"]["face_match"]["status"] == "Approved"
    assert match["body"]["vendor_data"] == "emp-ü"
    assert match["body"]["metadata"] == {"gate": "north"}
    assert liveness["body"]["liveness"]["status"] == "Approved"
    assert set_by_control["body"]["face_match"]["score"] == 3
    assert (refused["status"], refused["body"]) == (400, {"ref_image": ["No file was submitted."]})
    assert len({answer["body"]["request_id"] for answer in many}) == 20
    assert told["broken"] in {"TypeError", "Error"}
    # The broken answer was paid for as well.
    assert len(told["ledger"]["entries"]) == len(mock.control.charges()) == 24


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.MID_UPLOAD, Stage.AFTER_UPLOAD])
def test_curl_tells_of_a_connection_that_breaks(find_program, mock, cards, stage):
    """An error of curl's own, not an answer."""
    mock.control.add_fault(Fault(stage=stage, kind=Kind.RESET))
    command = [find_program("curl"), "--silent", *form(mock)]
    done = subprocess.run(command, cwd=cards, capture_output=True, check=False, timeout=30)
    # 7: the reset overtook the end of connect().
    assert done.returncode in {7, 52, 55, 56}
    assert done.stdout == b""
    assert mock.control.charges() == ()
