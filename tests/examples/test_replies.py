"""The own replies of the documentation answer what the mocks do not imitate."""

from pathlib import Path

import pytest
import requests

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server import MockServer

REPLIES = Path(__file__).parents[2] / "docs" / "examples" / "replies"


def of_rekognition(action):
    target = {"X-Amz-Target": f"RekognitionService.{action}"}
    return ("POST", "/", {"headers": target, "json": {"Image": {"Bytes": ""}}})


#: Each file's calls, and the status and a place of each answer.
CALLS = {
    "rekognition.json": [
        (of_rekognition("DetectLabels"), 200, lambda body: body["Labels"][0]["Name"] == "Person"),
        (
            of_rekognition("DetectText"),
            200,
            lambda body: body["TextDetections"][1]["ParentId"] == 0,
        ),
    ],
    "persona-documents.json": [
        (("GET", "/api/v1/documents/doc_7", {}), 200, lambda body: body["data"]["id"] == "doc_7"),
    ],
    "baidu-ocr.json": [
        *[
            (
                ("POST", f"/rest/2.0/ocr/v1/{name}?access_token=t", {"data": {"image": "x"}}),
                200,
                lambda body: len(body["words_result"]) == body["words_result_num"] > 0,
            )
            for name in ("general_basic", "accurate_basic", "webimage", "idcard")
        ],
    ],
}


def test_each_file_is_called_and_named_by_the_page():
    assert {file.name for file in REPLIES.iterdir()} == set(CALLS)
    page = (REPLIES.parents[1] / "test" / "use-the-mock.md").read_text()
    for name in CALLS:
        assert f"examples/replies/{name}" in page


@pytest.mark.parametrize("name", CALLS)
def test_call_gets_the_reply_of_the_file_and_nobody_elses(name):
    vendor = name.removesuffix(".json").partition("-")[0]
    with (
        MockServer(vendor=vendor, replies=REPLIES / name) as mock,
        MockServer(vendor=vendor) as bare,
    ):
        for (method, path, sent), status, is_right in CALLS[name]:
            without = requests.request(method, f"{bare.url}{path}", timeout=60, **sent)
            assert not (without.ok and is_right(without.json()))
            answer = requests.request(method, f"{mock.url}{path}", timeout=60, **sent)
            assert answer.status_code == status
            assert is_right(answer.json())
            assert name in answer.headers[HINT_HEADER]
