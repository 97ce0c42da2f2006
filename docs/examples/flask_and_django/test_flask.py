import io

import pytest
from cases import *  # noqa: F403
from flask_app import app


@pytest.fixture
def send():
    def sending(selfie, document):
        files = {"selfie": (io.BytesIO(selfie), "a"), "document": (io.BytesIO(document), "b")}
        answer = app.test_client().post("/verifications", data=files)
        return answer.status_code, answer.data, answer.headers

    return sending
