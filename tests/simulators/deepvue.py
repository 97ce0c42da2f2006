"""The simulator of Deepvue, which documents a yes or no with a number."""

import base64

import requests

from facematch_core.testing import Situation
from facematch_mock_server.testing import MockSimulator

LOGIN, LIVENESS = "/v1/authorize", "/v1/liveness-check"


class DeepvueSimulator(MockSimulator):
    vendor = "deepvue"
    calls = frozenset({"/v1/facematch", "/v2/facematch", LIVENESS})
    pictures = {"file_b": "probe", "file_a": "reference"}
    faces = {}
    keys = {
        "client_id": "deepvue-simulator-client-7c1e90",
        "client_secret": "deepvue-simulator-secret-4f7e1c2ab9",
    }
    # No page of Deepvue says which of several faces is compared.
    situations = frozenset(Situation) - {
        *(Situation.NO_FACE, Situation.TWO_FACES, Situation.SMALLER_FACE_MATCHES),
    }
    cannot_happen = {
        Situation.NO_FACE: "Deepvue documents no answer for a picture without a face.",
        Situation.TWO_FACES: "Deepvue's answer does not say how many faces there were.",
    }

    def __init__(self):
        super().__init__()
        self.control.add_key(key=self.keys["client_secret"], client=self.keys["client_id"])
        self.token = None

    def __enter__(self):
        super().__enter__()
        # The kit must know the token before a backend is given it. `alter` gives it to each login.
        with requests.post(self.url + LOGIN, data=self.keys, timeout=10) as answer:
            self.token = answer.json()["access_token"]
        return self

    @property
    def secrets(self):
        return (*self.keys.values(), *([self.token] if self.token else []))

    def begin(self, situation, score):
        control = self.control
        # Not `reset`: it would revoke the tokens that backends hold.
        control.clear_faults()
        control.set_balance(0 if situation is Situation.NO_CREDIT else 100)
        control.set_limit("day", 0 if situation is Situation.THROTTLED else None)
        # A wrong key is the secret of another client.
        client = "somebody-else" if situation is Situation.BAD_KEY else self.keys["client_id"]
        control.add_key(key=self.keys["client_secret"], client=client)

    def alter(self, request, body):
        data = body.get("data")
        if isinstance(data, dict):
            if "is_live" in data:
                # With a number a backend whose setting names the scale can be tested, too.
                data["score"] = 97 if data["is_live"] else 4
            self.put_score(data, "confidence" if "confidence" in data else "score")
        is_login = request.path == LOGIN and self.token
        return {**body, "access_token": self.token} if is_login else body

    def understand(self, request):
        if not request.path.startswith(LIVENESS):
            return super().understand(request)
        return {"probe": base64.b64decode(request.json()["image"].rpartition(",")[2])}
