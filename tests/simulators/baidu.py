"""The simulator of Baidu: the mock server in the place of the vendor, with a key or a login."""

import base64

import facematch_core as fm
from facematch_baidu import BaiduBackend
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_mock_server import Fault, Kind, Stage
from facematch_mock_server.testing import MockSimulator

from .words import all_of

MATCH, FACEVERIFY = "/rest/2.0/face/v3/match", "/rest/2.0/face/v3/faceverify"
LOGIN = "/oauth/2.0/token"


#: Situations that Baidu does not have, with the reason.
NEVER = {
    Situation.TWO_FACES: "Baidu's answer does not say how many faces there were.",
    Situation.SMALLER_FACE_MATCHES: "Baidu scores only the largest face.",
}
PRICE_UNKNOWN = frozenset({Situation.NO_FACE, Situation.REJECTED})


class BaiduSimulator(MockSimulator):
    vendor = "baidu"
    calls = frozenset({MATCH, FACEVERIFY})
    faces = {}
    keys = {"api_key": "bce-v3/ALTAK-simulator-7c1e90/4f7e1c2ab9"}
    secrets = tuple(keys.values())
    cannot_happen = {
        **NEVER,
    }
    price_unknown = PRICE_UNKNOWN
    switches = {"price": "0.01"}
    scope = "second"
    faults = {
        Situation.REJECTED: Fault(
            stage=Stage.ANSWER,
            kind=Kind.JSON,
            status=200,
            body={"error_code": 222013, "error_msg": "param[image] format error", "result": None},
        )
    }

    def alter(self, request, body):
        result = body.get("result")
        if result and "score" in result:
            self.put_score(result, "score")
        elif result:
            self.put_score(result, "face_liveness", fraction=True)
        return body

    def understand(self, request):
        sent = [base64.b64decode(item["image"]) for item in request.json()]
        return dict(zip(("probe", "reference"), sent, strict=False))


class BaiduLoginSimulator(BaiduSimulator):
    """Each call has the token of a login."""

    client = "baidu-simulator-app-7c1e90"
    secrets = ("baidu-simulator-secret-4f7e1c2ab9", client)
    keys = {"api_key": client, "secret_key": secrets[0]}

    def begin(self, situation, score):
        control = self.control
        # Not `reset`: it would revoke the tokens that backends hold.
        control.clear_faults()
        control.clear_outcomes()
        control.set_balance(0 if situation is Situation.NO_CREDIT else 100)
        control.set_limit("second", 0 if situation is Situation.THROTTLED else None)
        if situation is Situation.BAD_KEY:
            control.tokens.revoke()
        # A wrong key is the secret of another app.
        client = "somebody-else" if situation is Situation.BAD_KEY else self.client
        control.add_key(key=self.secrets[0], client=client)


def answer(result, code=0, message="SUCCESS"):
    about = {"log_id": 1345050756015080031, "timestamp": 1533094400, "cached": 0}
    return {"error_code": code, "error_msg": message, **about, "result": result}


def refusal(code, message):
    return 200, answer(None, code, message)


def compared(score):
    tokens = [{"face_token": "5d9b5c"}, {"face_token": "0d3b1e"}]
    return answer({"score": score, "face_list": tokens})


def checked(liveness):
    thresholds = {"frr_1e-4": 0.05, "frr_1e-3": 0.3, "frr_1e-2": 0.9}
    return answer({"face_liveness": liveness, "thresholds": thresholds, "face_list": []})


#: Baidu's codes in a 200, by their error: those of its gateway, and those of its face service.
BAIDU_GATEWAY = {
    fm.AuthenticationFailed: (14, 100, 110, 111),
    fm.PermissionDenied: (6,),
    fm.InsufficientCredit: (17, 19),
    fm.RateLimited: (4, 18),
    fm.VendorUnavailable: (2,),
    fm.RequestRejected: (3,),
}
BAIDU_FACE = {
    fm.RequestRejected: all_of(
        (222001, 222013, 222015, 222203, 222208, 223113, 223114, 223115, 223116),
        (223121, 223127),
    ),
    fm.OutcomeUnknown: (222201, 222205, 222206, 222901, 222916, 282000, 222304, 1),
}


def refusals_of(errors, charged):
    """A refusal of each code, as the documents have it."""
    refusals = []
    for error, codes in errors.items():
        for code in codes:
            body = {"error_code": code, "error_msg": "As Baidu says it.", "log_id": 7}
            refusals.append(Refusal(body=body, error=error, charged=charged))
    return refusals


class DocumentedBaidu(PairSimulator):
    """Bodies of ai.baidu.com/ai-doc/FACE/Lk37c1tpf and of public clients, read 2026-11-28."""

    backend_class = BaiduBackend
    secrets = ("bce-v3/ALTAK-simulator-7c1e90/4f7e1c2ab9",)
    settings = {"api_key": secrets[0]}
    credentials = {"Authorization": f"Bearer {secrets[0]}"}
    constants = {
        MATCH: {(0, "image_type"): "BASE64", (1, "image_type"): "BASE64", (1, "face_type"): "LIVE"},
        FACEVERIFY: {(0, "image_type"): "BASE64"},
    }
    picture_names = {
        (0, "image"): "probe",
        (1, "image"): "reference",
    }
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.BMP},
        max_side_px=1920,
        max_bytes=2 * 1024 * 1024 * 3 // 4,
    )
    same_person = compared(95.13)
    different_people = compared(12.4)
    #: For the rate 1e-3.
    vendor_thresholds = {fm.Operation.LIVENESS: 30.0}
    score_path = ("result", "score")
    liveness_path = FACEVERIFY
    live = checked(0.993)
    spoof = checked(0.0012)
    liveness_score_path = ("result", "face_liveness")
    is_liveness_fraction = True
    id_path = ("log_id",)
    answers = {
        Situation.NO_FACE: refusal(222202, "pic not has face"),
        Situation.REJECTED: refusal(222013, "param[image] format error"),
        Situation.BAD_KEY: refusal(110, "Access token invalid or no longer valid"),
        Situation.NO_CREDIT: refusal(17, "Open api daily request limit reached"),
        Situation.THROTTLED: refusal(18, "Open api qps request limit reached"),
        Situation.OUTAGE: refusal(282000, "internal error"),
    }
    free_situations = frozenset(answers)
    refusals = all_of(
        refusals_of(BAIDU_GATEWAY, fm.Charged.NO),
        refusals_of(BAIDU_FACE, fm.Charged.UNKNOWN),
        refusals_of({None: (222202,)}, fm.Charged.UNKNOWN),
    )
    price_unknown = PRICE_UNKNOWN
    cannot_happen = NEVER
