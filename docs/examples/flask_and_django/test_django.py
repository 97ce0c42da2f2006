import io
import os

import pytest
from cases import *  # noqa: F403

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"


@pytest.fixture
def send(monkeypatch, tmp_path):
    import django
    import face_site
    from django.db import connection
    from django.test import Client

    django.setup()
    monkeypatch.setitem(connection.settings_dict, "NAME", f"{tmp_path}/shop.sqlite3")
    monkeypatch.setattr(face_site, "customer_of", lambda _request: "customer-1")

    def sending(selfie, document):
        files = {"selfie": io.BytesIO(selfie), "document": io.BytesIO(document)}
        answer = Client().post("/verifications", files)
        return answer.status_code, answer.content, answer.headers

    yield sending
    connection.close()


@pytest.fixture
def open_account(send):  # noqa: ARG001 - it logs the customer in
    from django.test import Client

    return lambda: Client().post("/accounts").status_code
