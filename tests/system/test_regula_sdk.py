"""Regula's own client `regula-facesdk-webclient`, unmodified, against the mock."""

import json
import os

import pytest

from facematch_mock_server import Fault, MockServer, card_sheet

SDK = "regula-facesdk-webclient==8.4.875"

#: Compares the two pictures, or prints the client's own error.
PROGRAM = """
import json, os
from pathlib import Path
from regula.facesdk.webclient import MatchImage, MatchRequest
from regula.facesdk.webclient.ext import MatchApi
from regula.facesdk.webclient.gen.exceptions import ApiException

images = []
for index, name in enumerate(("PROBE", "REFERENCE")):
    data = Path(os.environ[name]).read_bytes()
    images.append(MatchImage(index=index, data=data, detect_all=True))
with MatchApi(host=os.environ["MOCK_URL"]) as api:
    try:
        response = api.match(MatchRequest(images=images))
    except ApiException as error:
        print(json.dumps({"error": type(error).__name__, "status": error.status}))
    else:
        statuses = [detection.status for detection in response.detections]
        faces = [len(detection.faces) for detection in response.detections]
        similarities = [result.similarity for result in response.results]
        print(json.dumps([response.code, statuses, faces, similarities]))
"""


@pytest.fixture(scope="session")
def sdk(lasting_environment):
    environment = lasting_environment("regula-sdk")
    environment.install(SDK)
    return environment


@pytest.fixture
def mock():
    with MockServer(vendor="regula") as running:
        yield running


@pytest.fixture
def match(sdk, mock, tmp_path):
    def match(probe, reference="p1"):
        files = {}
        for name, content in (("PROBE", probe), ("REFERENCE", reference)):
            files[name] = str(tmp_path / name)
            picture = card_sheet()[content].data if isinstance(content, str) else content
            (tmp_path / name).write_bytes(picture)
        environment = {**os.environ, "MOCK_URL": mock.url, **files}
        # The client validates what it sends with pydantic, which warns about its own models.
        return json.loads(sdk.python(PROGRAM, env=environment))

    return match


def test_the_client_reads_similarities_statuses_and_faces(match):
    code, statuses, faces, (similarity,) = match("p1-again")
    assert (code, statuses, faces) == (0, [0, 0], [1, 1])
    assert similarity > 0.75
    _, _, _, (similarity,) = match("p2")
    assert similarity < 0.75
    _, _, faces, similarities = match("two-faces")
    assert faces == [2, 1]
    assert len(similarities) == 3


def test_the_client_is_told_of_a_picture_without_a_face_and_of_one_that_is_none(match):
    assert match("no-face") == [2, [2, 0], [0, 1], []]
    assert match("p1", b"no picture") == [6, [0, 6], [1, 0], []]


@pytest.mark.parametrize(
    ("status", "error"), [(403, "ForbiddenException"), (500, "ServiceException")]
)
def test_the_client_raises_its_own_error(mock, match, status, error):
    mock.control.add_fault(Fault(stage="answer", kind="status", status=status))
    assert match("p1") == {"error": error, "status": status}
