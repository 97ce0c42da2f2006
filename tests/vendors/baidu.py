"""Baidu: requests to its mock as clients send them, and its simulators."""

import base64
from urllib.parse import urlencode

import attrs
from kit.mock_world import control_request, draw_picture, json_request, request_to, scene
from kit.scenario import Scenario, advance, answer_with_fault, beyond_limit_and_credit
from kit.session_words import all_of

import facematch_core as fm
from facematch_baidu import BaiduBackend
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_mock_server import Fault, Kind, Stage
from facematch_mock_server.testing import MockSimulator
from facematch_mock_server.vendors.baidu.vendor import (
    API_KEY,
    APP_KEY,
    APP_SECRET,
    DETECT,
    FACEVERIFY,
    LOGIN,
    MATCH,
    PERSON,
)

FACESET = "/rest/2.0/face/v3/faceset"
ADD_USER = "/rest/2.0/face/v3/faceset/user/add"
SEARCH = "/rest/2.0/face/v3/search"

__all__ = ["API_KEY", "APP_KEY", "APP_SECRET", "FACEVERIFY", "LOGIN", "MATCH"]
BEARER = f"Bearer {API_KEY}"


def picture(content=None, **fields):
    """An item of the list of pictures; a field that is None is left out."""
    data = scene() if content is None else content
    item = {"image": base64.b64encode(data).decode(), "image_type": "BASE64", **fields}
    return {name: value for name, value in item.items() if value is not None}


def post(items, path=MATCH, *, authorization=BEARER, method="POST", token=None, kind=None):
    """A call; a token stands in the query, and then there is no header."""
    more = {} if authorization is None or token is not None else {"authorization": authorization}
    if token is not None:
        path = f"{path}?{urlencode({'access_token': token})}"
    more["content_type"] = kind or "application/json"
    return json_request(path, items, method=method, key=None, **more)


def match(probe=None, reference=None, **more):
    return post([picture(probe), picture(reference)], **more)


def faceverify(probe=None, **more):
    return post([picture(probe)], FACEVERIFY, **more)


def detect(content=None, **fields):
    return post(picture(content, **fields), DETECT)


def person_verify(content=None, **fields):
    person = {"id_card_number": "110101199003070000", "name": "Ada"}
    return post(picture(content, **{**person, **fields}), PERSON)


def add_user(content=None, **fields):
    user = {"group_id": "shop", "user_id": "ada"}
    return post(picture(content, **{**user, **fields}), ADD_USER)


def search(content=None, **fields):
    return post(picture(content, **{"group_id_list": "shop", **fields}), SEARCH)


def change(call, **fields):
    """A call about groups or users without a picture, such as `user/delete`."""
    return post({"group_id": "shop", "user_id": "ada", **fields}, f"{FACESET}/{call}")


def login(*, method="POST", in_form=False, **changes):
    """The login of the app; a field that is None is left out."""
    fields = {"grant_type": "client_credentials", "client_id": APP_KEY, "client_secret": APP_SECRET}
    sent = {name: text for name, text in {**fields, **changes}.items() if text is not None}
    if in_form:
        kind = "application/x-www-form-urlencoded"
        return json_request(LOGIN, urlencode(sent).encode(), key=None, content_type=kind)
    return request_to(f"{LOGIN}?{urlencode(sent)}", method=method, key=None)


def token_of(engine):
    return engine.handle(login()).json()["access_token"]


def with_token(sent, change=str):
    """A step that sends a call with the token of a login."""

    def step(engine):
        token = change(token_of(engine))
        target = f"{sent.target}?{urlencode({'access_token': token})}"
        headers = tuple(header for header in sent.headers if header[0] != "authorization")
        return engine.handle(attrs.evolve(sent, target=target, headers=headers))

    return step


def compare_by_expired_token(engine):
    token = token_of(engine)
    engine.handle(advance(31 * 86_400))
    return engine.handle(match(token=token))


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        match(),
        faceverify(),
        login(method="GET"),
        login(in_form=True),
        login(grant_type="password"),
        login(client_id="nobody"),
        login(client_secret="wrong"),
        with_token(match(), change=lambda token: f"{token}0"),
        match(authorization=None),
        match(authorization="Bearer bce-v3/ALTAK-nobody/key"),
        match(authorization="bce-auth-v1/key/2026-11-28T08:00:00Z/1800/host/0"),
        control_request("keys", {"key": "bce-v3/ALTAK-weak/key", "allowed": False}),
        match(authorization="Bearer bce-v3/ALTAK-weak/key"),
        post(b"{"),
        post([picture()]),
        post([picture(image=None), picture()]),
        post([picture(image_type="FILE"), picture()]),
        post([picture(image_type="URL"), picture()]),
        post([picture(image_type="FACE_TOKEN"), picture()]),
        detect(face_field="age,beauty,landmark,race", max_face_num="many"),
        post(b"image_type=BASE64", DETECT, kind="application/x-www-form-urlencoded"),
        detect(scene(quality=10), quality_control="LOW"),
        detect(scene(score=10), liveness_control="NORMAL"),
        person_verify(),
        person_verify(name=None),
        search(),
        add_user(),
        add_user(group_id=None),
        add_user(user_id="a b"),
        *[add_user()] * 20,
        search(scene(score=96)),
        search(scene(score=20)),
        search(max_user_num=51),
        post({**picture(), "group_id": "shop", "user_id": "bob"}, f"{FACESET}/user/update"),
        change("face/delete", face_token="unknown"),
        change("user/delete"),
        change("group/add"),
        change("group/add"),
        search(group_id_list=",".join("abcdefghijk")),
        post([picture(image="not base64!"), picture()]),
        match(b"x" * 1_600_000),
        match(draw_picture("WEBP")),
        match(draw_picture(size=(1921, 80))),
        match(b"no picture"),
        match(scene(faces=0)),
        match(path="/rest/2.0/face/v3/nothing"),
        answer_with_fault(500, match()),
        *beyond_limit_and_credit(match),
        compare_by_expired_token,
    )
    return [
        Scenario("baidu", calls, {"price": "0.01"}),
    ]


# The simulator of Baidu: the mock server in the place of the vendor, with a key or a login.

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
    documented_capabilities = {"default_threshold": 80.0}
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
