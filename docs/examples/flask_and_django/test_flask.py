import io

import flask_app
import pytest
from cases import *  # noqa: F403


@pytest.fixture
def send(monkeypatch):
    monkeypatch.setattr(flask_app, "customer_of", lambda: "customer-1")

    def sending(selfie, document):
        files = {"selfie": (io.BytesIO(selfie), "a"), "document": (io.BytesIO(document), "b")}
        answer = flask_app.app.test_client().post("/verifications", data=files)
        return answer.status_code, answer.data, answer.headers

    return sending


@pytest.fixture
def open_account(send):  # noqa: ARG001 - it logs the customer in
    return lambda: flask_app.app.test_client().post("/accounts").status_code
