"""Azure's liveness sessions by Microsoft's own client for node, as it comes."""

import json
from pathlib import Path

import pytest

from facematch_mock_server import MockServer, card_sheet

CLIENT = "@azure-rest/ai-vision-face@1.0.0-beta.3"
SCRIPT = Path(__file__).with_name("azure_sessions.mjs")
CARDS = {name: card.data for name, card in card_sheet().items()}
LIVENESS, WITH_VERIFY = "/detectLiveness-sessions", "/detectLivenessWithVerify-sessions"


@pytest.fixture(scope="module")
def seen(find_program, run_command, tmp_path_factory):
    """What the client of npm got, by what it asked."""
    folder = tmp_path_factory.mktemp("npm")
    npm, node = find_program("npm"), find_program("node")
    reference = folder / "p1.png"
    reference.write_bytes(CARDS["p1"])
    (folder / "sessions.mjs").write_text(SCRIPT.read_text("utf-8"), "utf-8")
    run_command(npm, "install", "--silent", "--no-save", CLIENT, cwd=folder)
    with MockServer(vendor="azure") as mock:
        printed = run_command(
            *(node, "sessions.mjs", mock.url, mock.live_key, reference),
            cwd=folder,
        )
    return json.loads(printed)


@pytest.mark.parametrize("path", [LIVENESS, WITH_VERIFY])
def test_microsofts_client_for_node_goes_through_a_session(seen, path):
    of = seen[path]
    answers = [of["start"], of["between"], of["read"]]
    assert [(each["status"], each["unexpected"]) for each in answers] == [("200", False)] * 3
    assert len({each["body"]["authToken"] for each in answers}) == 1
    numbers = [[a["attemptId"] for a in each["body"]["results"]["attempts"]] for each in answers]
    assert numbers == [[], [1], [2, 1]]
    result = of["read"]["body"]["results"]["attempts"][0]["result"]
    assert result["livenessDecision"] == "realface"
    assert ("verifyResult" in result) is (path == WITH_VERIFY)
    if path == WITH_VERIFY:
        assert result["verifyResult"] == {"matchConfidence": 0.95466, "isIdentical": True}
    assert of["bytes"] == len(CARDS["p1-again"])
    deleted, gone = of["gone"]
    assert (deleted["status"], deleted["unexpected"]) == ("204", False)
    assert (gone["status"], gone["code"]) == ("404", "SessionNotFound")


def test_microsofts_client_for_node_reads_a_refusal(seen):
    refused = seen["refused"]
    assert (refused["status"], refused["unexpected"]) == ("400", True)
    assert refused["body"]["error"]["code"] == refused["code"] == "InvalidDeviceCorrelationId"
