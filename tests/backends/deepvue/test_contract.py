"""The backend `deepvue` keeps the contract that every plug-in keeps.

Behind it stands a scripted Deepvue: logins, v1 and v2, and the forms of error that its pages and
its callers know.
"""

import base64
import itertools
import json
from typing import ClassVar

import pytest

from facematch_core import ImageFormat
from facematch_core.backend import ImageLimits
from facematch_core.testing import BackendContract, HttpSimulator, SimulatorReply, Situation
from facematch_deepvue import DeepvueBackend

CLIENT_ID = "deepvue-client-7c1e90"
CLIENT_SECRET = "deepvue-secret-4f7e1c2ab9"
TOKEN = "deepvue.token.5b8d1f0c"

SCORES = {Situation.DIFFERENT_PEOPLE: 12, Situation.SPOOF: 5, Situation.IMPOSSIBLE_SCORE: 250}
NO = (Situation.DIFFERENT_PEOPLE, Situation.SPOOF)

REFUSALS = {
    # As careless as a vendor may be.
    Situation.BAD_KEY: (401, {"detail": f"Could not validate {CLIENT_SECRET} with {TOKEN}"}),
    Situation.NO_CREDIT: (402, {"detail": "Payment Required"}),
    Situation.REJECTED: (422, {"detail": [{"loc": ["body", "file_a"], "msg": "field required"}]}),
    Situation.THROTTLED: (
        429,
        {"detail": "Rate limit exceeded. Please retry after some time."},
    ),
    Situation.OUTAGE: (
        500,
        {"transaction_id": "0" * 32, "sub_code": "ERROR", "message": "Internal Server Error"},
    ),
}


class DeepvueSimulator(HttpSimulator):
    """Answers as Deepvue's pages say, and where they are silent as its callers met it."""

    situations = frozenset(Situation) - {
        # Nothing is documented for these.
        Situation.NO_FACE,
        Situation.TWO_FACES,
        Situation.TURNED,
        Situation.UNKNOWN_STATUS,
        Situation.UNKNOWN_WARNING,
        Situation.DEMOGRAPHICS,
    }
    secrets = (CLIENT_ID, CLIENT_SECRET, TOKEN)
    limits = ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=5 * 1024 * 1024)
    settings: ClassVar = {}
    _numbers = itertools.count(1)

    def backend(self, **settings):
        own = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "base_url": self.url}
        return DeepvueBackend(**own | self.settings | settings)

    def counts(self, request):
        return request.path != "/v1/authorize"

    @property
    def received(self):
        if self.last is None or not self.counts(self.last):
            return {}
        if self.last.path == "/v1/liveness-check":
            return {"probe": base64.b64decode(self.last.json()["image"], validate=True)}
        # By convention of ours: to Deepvue the two are alike.
        return {"probe": self.last.files["file_b"], "reference": self.last.files["file_a"]}

    def answer(self, request, situation, score):
        if request.path == "/v1/authorize":
            return self._login(request, situation)
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            return SimulatorReply(status=403, body={"detail": "Not a valid token"})
        assert request.headers["x-api-key"] == CLIENT_SECRET
        call = request.path.removeprefix("/")
        if call == "v1/liveness-check":
            assert base64.b64decode(json.loads(request.body)["image"], validate=True)
        elif set(request.files) != {"file_a", "file_b"}:
            situation = Situation.REJECTED
        if situation in REFUSALS:
            status, body = REFUSALS[situation]
            return SimulatorReply(status=status, body=body)
        if situation is Situation.UNREADABLE_200:
            return SimulatorReply(body={"result": "ok"})
        return SimulatorReply(body=self._success(call, situation, score))

    def _login(self, request, situation):
        pair = request.fields["client_id"], request.fields["client_secret"]
        if pair != (CLIENT_ID, CLIENT_SECRET) or situation is Situation.BAD_KEY:
            detail = "Invalid client_id or client_secret, access Denied"
            return SimulatorReply(status=401, body={"detail": f"{detail}: {CLIENT_SECRET}"})
        return SimulatorReply(
            body={"access_token": TOKEN, "token_type": "bearer", "expiry": "24hrs"}
        )

    def _success(self, call, situation, score):
        value = SCORES.get(situation, 98) if score is None else score
        if situation is Situation.NULL_SCORE:
            value = None
        verdict, number = ("match", "confidence")
        if call == "v1/liveness-check":
            verdict, number = ("is_live", "score")
        body = {
            "code": 200,
            "transaction_id": f"{next(self._numbers):032x}",
            "sub_code": "SUCCESS",
            # An echo of what may not be seen.
            "message": f"Face match completed for {CLIENT_ID} with {TOKEN}.",
            "data": {verdict: situation not in NO, number: value},
        }
        return body if call.startswith("v2") else body | {"timestamp": 1710444590759}


@pytest.mark.long
class TestContract(BackendContract):
    """With the settings as they are by default: v1, and no score of liveness."""

    @pytest.fixture
    def simulator(self):
        with DeepvueSimulator() as simulator:
            yield simulator


class ScaledSimulator(DeepvueSimulator):
    """The same, asked with everything set. Silence is that of the other one, whatever is set."""

    situations = DeepvueSimulator.situations - {Situation.SLOW}
    settings: ClassVar = {
        "api_version": "v2",
        "confidence_scale": "percent",
        "confidence_meaning": "similarity",
        "liveness_score_scale": "percent",
    }


class TestContractWithEverySetting(BackendContract):
    """v2, with scales and meaning set: a liveness check has scores, too."""

    @pytest.fixture
    def simulator(self):
        with ScaledSimulator() as simulator:
            yield simulator
