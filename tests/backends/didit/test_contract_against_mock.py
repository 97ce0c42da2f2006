"""The backend `didit` keeps the contract of every plug-in with the mock server for its vendor.

The mock is no double made for the contract: it decides by pictures and keeps its own ledger.
"""

import json
import socket

import pytest

from facematch_core import FaceVerifier, Image, ImageFormat, Retention
from facematch_core.backend import ImageLimits
from facematch_core.errors import RequestRejected
from facematch_core.testing import BackendContract, Situation, VendorDouble
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet, make_card

SHEET = card_sheet()
KEY = "didit-key-9d4b7a31cc"
GENDER = "female"
AGE = 47
DEMOGRAPHICS = {"age": float(AGE), "gender": GENDER}
FAULTS = {
    # In words that are documented for this status, unlike most refusals.
    Situation.REJECTED: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=415, times=None),
    Situation.LOST_ANSWER: Fault(
        stage=Stage.AFTER_UPLOAD, kind=Kind.TRUNCATE, executed=True, times=None
    ),
    Situation.BROKEN_ANSWER: Fault(stage=Stage.MID_BODY, kind=Kind.TRUNCATE, times=None),
    Situation.GATEWAY_ERROR: Fault(
        stage=Stage.ANSWER, kind=Kind.HTML, status=502, executed=True, times=None
    ),
    Situation.UNREADABLE_200: Fault(
        stage=Stage.ANSWER, kind=Kind.WRONG_JSON, status=200, executed=True, times=None
    ),
    Situation.SLOW: Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.DELAY, seconds=3600, times=None),
}
PROBES = {
    Situation.DIFFERENT_PEOPLE: SHEET["p2"].data,
    Situation.SPOOF: SHEET["spoof"].data,
    Situation.NO_FACE: SHEET["no-face"].data,
    Situation.TWO_FACES: SHEET["two-faces"].data,
    Situation.TURNED: SHEET["turned-90"].data,
    Situation.DEMOGRAPHICS: make_card("p1", age=AGE, gender=GENDER),
    Situation.AGE_TOLD: make_card("p1", age=71),
}
REFUSALS = {Situation.BAD_KEY, Situation.NO_CREDIT, Situation.THROTTLED}
PLAIN = {
    Situation.SAME_PERSON,
    Situation.LIVE,
    Situation.SCORE,
    Situation.FACE_FOUND,
    Situation.UNREACHABLE,
}


class DiditMockDouble(VendorDouble):
    """The mock server in the place of Didit.

    It cannot lie: what no document of Didit has (an approval without a score, an unknown status,
    words of its own for a fault) it does not send.
    """

    situations = frozenset({*FAULTS, *PROBES, *REFUSALS, *PLAIN})
    secrets = (KEY,)
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF},
        max_bytes=5 * 1024 * 1024,
    )
    demographics = DEMOGRAPHICS

    def __init__(self):
        # Bound and not listening: it keeps the port ours while the server is down.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self._port = self._place.getsockname()[1]
        self._mock = MockServer(port=self._port)
        self._before = (0, 0)

    def __exit__(self, *_):
        self._mock.stop()
        self._place.close()

    def backend(self, **settings):
        url = f"http://127.0.0.1:{self._port}"
        return DiditBackend(**{"api_key": KEY, "base_url": url} | settings)

    def prepare(self, situation, *, score=None):
        self._before = (self.requests_seen, self.charges)
        control = self._mock.control
        control.reset()
        control.add_key(key=KEY)
        control.set_limit("write", None)
        if situation in FAULTS:
            control.add_fault(FAULTS[situation])
        if situation is Situation.SCORE:
            for kind in ("match", "liveness"):
                control.set_outcome(kind, score=score, times=None)
        if situation is Situation.FACE_FOUND:
            control.faces.enrol(person="p1")
        if situation is Situation.BAD_KEY:
            control.revoke_key(KEY)
        if situation is Situation.NO_CREDIT:
            control.set_balance(0)
        if situation is Situation.THROTTLED:
            control.set_limit("write", 0)
        if situation is Situation.UNREACHABLE:
            self._mock.stop()
        else:
            self._mock.start()

    def pictures(self):
        return self.pictures_for(Situation.SAME_PERSON)

    def pictures_for(self, situation):
        probe = PROBES.get(situation, SHEET["p1-again"].data)
        return Image.from_bytes(probe), Image.from_bytes(SHEET["p1"].data)

    @property
    def requests_seen(self):
        # A fault leaves a note of its own beside whatever is carried out.
        entries = self._mock.control.journal()
        faults = sum(entry.status is None for entry in entries)
        answers = sum("fault" not in (entry.note or "") for entry in entries)
        return self._before[0] + max(faults, answers)

    @property
    def charges(self):
        return self._before[1] + len(self._mock.control.charges())

    @property
    def received(self):
        fields = self._mock.control.journal()[-1].fields
        threshold = next(text for name, text in fields.items() if name.endswith("_threshold"))
        kept = fields["save_api_request"] == "true"
        return {
            "threshold": float(threshold),
            "rotate": fields["rotate_image"] == "true",
            "retention": Retention.KEEP if kept else Retention.MINIMAL,
            "caller_ref": fields.get("vendor_data"),
            "metadata": json.loads(fields.get("metadata", "null")),
        }


class TestContract(BackendContract):
    @pytest.fixture
    def double(self):
        with DiditMockDouble() as double:
            yield double


def test_the_double_counts_what_the_vendor_refused():
    """A refused call has reached the vendor, and costs nothing."""
    with DiditMockDouble() as double:
        double.prepare(Situation.REJECTED)
        with FaceVerifier(double.backend()) as verifier, pytest.raises(RequestRejected):
            verifier.verify(*double.pictures())
        assert (double.requests_seen, double.charges) == (1, 0)
