"""Every claim is cited by an answer to one of these scenarios, and nothing else is.

A scenario has no step that brings no claim of its own.
"""

import datetime as dt

import attrs
from kit import mock_azure as azure
from kit import mock_compreface as compreface
from kit import mock_deepvue as deepvue
from kit import mock_didit as didit
from kit import mock_didit_accounts as accounts
from kit import mock_didit_sessions as sessions
from kit import mock_didit_webhooks as webhooks
from kit import mock_rekognition as rekognition
from kit.mock_didit import MATCH, START, control, liveness, match, picture, request
from kit.mock_didit_accounts import ANNA, ME, login, register, with_token
from kit.mock_didit_accounts import later as passing
from kit.mock_didit_sessions import later, listed, on, pictured, sent, update
from kit.mock_rekognition import card, compare, pair, signed, without
from kit.mock_worlds import struck_by

from facematch_mock_server.faults import Fault
from facematch_mock_server.messages import Head
from facematch_mock_server.vendors import all_claims

BIG = 5 * 1024 * 1024 + 1
#: What decides which claims of Didit hold, and the scenarios that need that; None for all.
DIDIT = (
    ({"edition": "2026-07"}, None),
    ({"edition": "2026-03"}, None),
    ({"edition": "2026-11"}, None),
    ({"switches": {"undecodable": 400}}, ("match",)),
    ({"switches": {"credits_before_validation": True}}, ("credit",)),
    ({"switches": {"empty_blocks": "list", "features": "objects"}}, ("decisions",)),
    ({"switches": {"reserved_domains": "accepted"}}, ("registration",)),
    ({"switches": {"v2_prefix": True, "event_id_per_attempt": True}}, ("webhooks",)),
)


def json(path, body, **more):
    return request(path, body, "application/json", **more)


def answered(status, kind="status", made=json(MATCH, b"{}"), **more):  # noqa: B008 - a value
    """A step that a fault strikes."""
    fault = Fault(stage="answer", kind=kind, status=status, **more)
    return lambda engine: struck_by(engine, fault, made)


def refused(path):
    """The answer to a length that is declared too high."""
    head = Head(method="POST", target=path, headers=(("Content-Length", "99999999"),))
    return lambda engine: engine.refuse_early(head)


def an_application(of):
    """A step that asks for an application of an organization, or for one that there is not."""

    def step(engine):
        one = accounts.opened(engine)
        if one is None:
            return engine.handle(login())
        path = f"{ME}{one.uuid}/applications/{getattr(one, of)}/"
        return with_token(path)(engine)

    return step


def of_anothers_session(engine):
    account = engine.accounts.find("other") or engine.accounts.open("other")
    return on(1, key=next(iter(account.first_keys["didit"])))(engine)


def check(**more):
    return sessions.added("PASSIVE_LIVENESS", {**sessions.CHECK, **more})


OF_DIDIT = {
    "match": (
        match(picture(faces=0), save_api_request="false"),
        match(b"no picture"),
        match(picture(review=True)),
        match(picture(faces=2)),
        match(key="mock-sandbox-key", vendor_data="emp-0042"),
    ),
    "liveness": (
        liveness(picture(score=None)),
        liveness(picture(faces=0)),
        liveness(picture(blocklist="possible", duplicate="certain")),
        liveness(b"no picture"),
        liveness(key="mock-sandbox-key"),
    ),
    "fields": (
        match(b"x" * BIG),
        match(metadata="[]"),
        match(metadata="", vendor_data=""),
        match(metadata="x" * 50_001, vendor_data="x" * 10_001),
        request(MATCH, b"x", "multipart/form-data"),
        request(MATCH, *didit.multipart([("a", "")] * 1001)),
        json(MATCH, b"{}"),
        request(MATCH, method="OPTIONS"),
        json(f"{accounts.AUTH}login/", b"null", key=None),
        json(f"{accounts.AUTH}login/", b"[" * 101 + b"]" * 101, key=None),
    ),
    "keys": (
        match(key=None),
        control("keys", {"key": "past-key", "expires": "2026-07-01"}),
        match(key="past-key"),
    ),
    "rates": (
        control("limits", {"get": 1, "write": 1}),
        *[request(MATCH, method="GET"), match()] * 2,
    ),
    "credit": (control("ledger/balance", {"balance": "0.02"}), liveness(b"no picture")),
    "paths": (
        request("/v3/face-mach/"),
        request("/v3/session/seven/decision/"),
        request("/v3/workflows/", method="GET"),
        request("/system/healthcheck", method="GET", key=None),
        request("/elsewhere"),
        refused(MATCH),
        refused("/__mock__/faults"),
    ),
    "faults": (
        *(answered(status) for status in (400, 404, 503)),
        answered(502, "html"),
        answered(503, "json", body={"detail": "own"}),
        answered(200, "wrong_json"),
    ),
    "decisions": (
        match(),
        check(status="Approved", warnings=[]),
        on(1, query="?include=events"),
        on(1, query="?include=else"),
        control("limits", {"get": 0}),
        on(1),
        control("limits", {"decision": 1}),
        on(1),
    ),
    "pictures": (
        match(picture(score=55)),
        pictured(1, then=later(100)),
        pictured(1, then=later(3600)),
        pictured(1, change=lambda there: there[:-1] + "-"),
        pictured(1, method="POST"),
        pictured(1, host="evil.example"),
        pictured(9),
        pictured(1, then=sessions.forget),
    ),
    "lists": (
        listed("session_type=FOO"),
        listed("country=ESP"),
        listed("page=9"),
        listed(key=sessions.SANDBOX),
        sent("/v3/sessions?limit=1"),
    ),
    "updates": (
        match(picture(score=55)),
        update(1, {"new_status": "Approved"}),
        update(1, {"new_status": "Resubmitted"}),
        update(1, []),
        sessions.put_into(1, "In Progress"),
        update(1),
        sessions.put_into(1, "In Review"),
        update(1, {"new_status": "Resubmitted", "nodes_to_resubmit": [{"feature": "FACE_MATCH"}]}),
        on(1),
    ),
    "deletions": (check(), sessions.delete(1), sessions.delete(1)),
    "doors": (
        check(),
        of_anothers_session,
        on(1, key=sessions.SANDBOX),
        update(1, b"{", key="wrong"),
    ),
    "balance": (
        control("limits", {"management": 1}),
        *[accounts.told(accounts.BALANCE)] * 2,
    ),
    "top up": (
        accounts.top_up(None),
        *(accounts.top_up(amount) for amount in ("x", 49.99, 50, 1_000_000)),
        control("payments/plan", {"annual": True}),
        accounts.top_up(),
    ),
    "registration": (
        register("anna@example.com"),
        register(),
        register("ANNA@mailbox.dev"),
        *[accounts.verify()] * 2,
        register("ben@mailbox.dev"),
        passing(901),
        accounts.verify("ben@mailbox.dev"),
    ),
    "a password": (register("p5@mailbox.dev", "Nospecial7"),),
    "too many": tuple(register(f"p{n}@mailbox.dev") for n in range(6)),
    "another code": (
        register(),
        login(),
        accounts.auth("resend-otp", email=ANNA),
        accounts.auth("resend-otp", email="nobody@mailbox.dev"),
    ),
    "logging in": (
        register(),
        accounts.verify(),
        with_token(),
        accounts.told(ME, key=None),
        an_application("application"),
        an_application("uuid"),
        login(),
        *[accounts.FAILED] * 5,
        login(),
    ),
    "webhooks": (
        webhooks.listen(),
        *(
            step
            for answer in (500, 404, None, 302, 401)
            for step in (
                didit.match(vendor_data="emp-é", metadata='{"gate":2.0}'),
                webhooks.carried(answer),
                passing(60),
                webhooks.carried(),
            )
        ),
    ),
}

OF_DEEPVUE = {
    "tokens": (
        deepvue.authorize(as_files=True),
        deepvue.authorize(secret="wrong"),
        request(deepvue.AUTHORIZE, b"x", "multipart/form-data", key=None),
        request(deepvue.AUTHORIZE, method="GET", key=None),
    ),
    "guards": (
        deepvue.with_token(deepvue.match(key=None)),
        deepvue.match(key="wrong"),
        deepvue.with_token(deepvue.match(), change=lambda token: token[:-1]),
    ),
    "clients": (
        deepvue.steer("keys", {"key": "weak-secret", "allowed": False}),
        deepvue.with_token(deepvue.match(key="weak-secret")),
        deepvue.steer("keys/revoke", {"key": deepvue.SECRET}),
        deepvue.authorize(),
        deepvue.wallet(),
    ),
    "answers": (
        deepvue.with_token(deepvue.match()),
        deepvue.with_token(deepvue.match(picture(), picture())),
        deepvue.with_token(deepvue.match(deepvue.picture(), deepvue.picture())),
        deepvue.with_token(deepvue.match(deepvue.picture(faces=0), path=deepvue.MATCH_2)),
        deepvue.with_token(deepvue.match(path=deepvue.MATCH_2)),
        deepvue.with_token(deepvue.liveness(deepvue.picture(attack=True))),
        deepvue.with_token(deepvue.posted({"image": "not base64!"})),
        deepvue.steer("answers", {"kind": "match", "fields": {"data": {"match": "true"}}}),
        deepvue.with_token(deepvue.match()),
    ),
    "rates": (
        deepvue.wallet(),
        deepvue.wallet(client="nobody"),
        *(
            step
            for window in ("second", "minute", "day")
            for step in (
                deepvue.steer("limits", {window: 0}),
                deepvue.with_token(deepvue.match()),
                deepvue.wallet(),
                deepvue.steer("limits", {window: None}),
            )
        ),
    ),
    "credit": (
        deepvue.steer("ledger/balance", {"balance": "0.02"}),
        deepvue.with_token(deepvue.liveness()),
    ),
    "paths": (request("/v1/elsewhere"),),
    "faults": tuple(answered(status, made=deepvue.match()) for status in (400, 402, 418, 500, 503)),
}

OF_COMPREFACE = (
    compreface.verify(query="?status=True&face_plugins=age,gender,landmarks,mask,pose,calculator"),
    compreface.verify(query="?face_plugins=beard"),
    compreface.verify(query="?det_prob_threshold=1"),
    compreface.verify(picture(faces=2)),
    compreface.verify(picture(faces=2), picture(faces=3), query="?limit=1"),
    compreface.verify(key=None),
    compreface.verify(key="wrong"),
    compreface.verify(key=compreface.UUID),
    compreface.verify(target=False),
    compreface.verify(names=("a.jpg", "b.heic")),
    compreface.verify(b"x" * BIG),
    compreface.verify(query="?limit=-1"),
    compreface.in_json(source_image=None),
    compreface.in_json(target_image="data:image/png;base64,AAAA"),
    attrs.evolve(compreface.in_json(), body=b"["),
    attrs.evolve(compreface.verify(), method="PUT"),
    compreface.of_type("text/plain"),
    compreface.of_type("multipart/form-data"),
    compreface.of_type("application/json", b" " * (10 * 1024 * 1024 + 1)),
    didit.struck(503, compreface.verify()),
)

DRAWN = "returnFaceId=false"
OF_AZURE = (
    azure.itself,
    lambda engine: (
        azure.compared(engine, azure.picture(score=None))
        if not engine.world.switches
        else engine.handle(azure.detect())
    ),
    lambda engine: (
        azure.compared(engine, query="recognitionModel=recognition_04")
        if not engine.world.switches
        else engine.handle(azure.verify())
    ),
    azure.detect(query="returnFaceLandmarks=true&returnFaceAttributes=headPose,glasses"),
    attrs.evolve(azure.detect(), target=azure.DETECT.replace("v1.2", "v1.2-preview.1")),
    azure.detect(query="returnFaceId=maybe"),
    azure.detect(key=None, authorization="Bearer nobody"),
    *(azure.detect(query=query) for query in azure.REFUSED),
    azure.detect(azure.picture(size=1023), DRAWN),
    azure.detect(b"\xff\xd8\xff" + b"x" * 6 * 1024 * 1024, DRAWN),
    azure.detect(b"%PDF-".ljust(1024), DRAWN),
    azure.detect(b"{}", DRAWN, kind=azure.JSON),
    azure.detect(query=DRAWN, kind="image/jpeg"),
    azure.ask(azure.VERIFY, b"{", azure.JSON),
    azure.verify("one", "two"),
    azure.ask(azure.VERIFY, b'{"personId": "x"}', azure.JSON),
    attrs.evolve(azure.verify(), method="PUT"),
    didit.struck(503, azure.verify()),
    control("limits", {"resource": 1}),
    *[azure.verify()] * 2,
)

OF_REKOGNITION = (
    compare(target=card("p1", faces=2), SimilarityThreshold=0, QualityFilter="HIGH"),
    compare(target=card("p1", faces=0)),
    rekognition.detect(card("p1", faces=2), Attributes=["ALL"]),
    compare(source=card("p1", faces=2)),
    compare(source=rekognition.drawn("JPEG")),
    compare(target=rekognition.drawn("WEBP")),
    compare(rekognition.drawn(size=(79, 200))),
    compare(b"x" * BIG),
    signed({"SourceImage": {"S3Object": {"Bucket": "b", "Name": "n"}}}),
    signed(b"{"),
    compare(SimilarityThreshold=101),
    signed({}, "IndexFaces"),
    without(compare(), "authorization"),
    without(compare(), "x-amz-date"),
    signed(pair(), key="somebody-else"),
    signed(pair(), service="s3"),
    signed(pair(), token="of-a-session"),
    signed(pair(), at=dt.datetime.now(dt.UTC)),
    signed(pair(), at=START - dt.timedelta(minutes=16)),
    signed(pair(), at=dt.datetime(2999, 1, 1, tzinfo=dt.UTC)),
    control("keys", {"key": "weak-key", "client": "weak", "allowed": False}),
    signed(pair(), key="weak", secret="weak-key"),
    didit.struck(500, compare()),
    control("limits", {"second": 1}),
    *[compare()] * 2,
    control("limits", {"second": None, "increase": 0}),
    compare(),
    control("limits", {"increase": None, "capacity": 0}),
    compare(),
)

WAYS = (
    *((one, OF_DIDIT[name]) for one, names in DIDIT for name in names or OF_DIDIT),
    *((one, steps) for one in deepvue.SETTINGS for steps in OF_DEEPVUE.values()),
    *((one, OF_AZURE) for one in azure.SETTINGS),
    ({"vendor": "compreface"}, OF_COMPREFACE),
    *((one, OF_REKOGNITION) for one in rekognition.SETTINGS),
)


def claims_of(steps, settings):
    """The claims that the answers to a scenario rest on, in a world of these settings."""
    engine, cited = didit.new_engine(**settings), set()
    for step in steps:
        answer = step(engine) if callable(step) else engine.handle(step)
        cited.update(answer.claims)
    return cited


def test_every_claim_and_nothing_else_is_cited_by_an_answer():
    cited = {claim for settings, steps in WAYS for claim in claims_of(steps, settings)}
    assert cited == {claim.id for claim in all_claims()}
