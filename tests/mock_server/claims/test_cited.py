"""Every claim is cited by a scenario or a sample of an OpenAPI document, and nothing else is."""

import datetime as dt
import json
import re
from pathlib import Path

import attrs
import pytest
from kit import mock_azure as azure
from kit import mock_baidu as baidu
from kit import mock_compreface as compreface
from kit import mock_deepface as deepface
from kit import mock_deepvue as deepvue
from kit import mock_didit as didit
from kit import mock_didit_sessions as sessions
from kit import mock_didit_webhooks as webhooks
from kit import mock_facepp as facepp
from kit import mock_onfido as onfido
from kit import mock_persona as persona
from kit import mock_regula as regula
from kit import mock_rekognition as rekognition
from kit import mock_sumsub as sumsub
from kit import mock_tencent as tencent
from kit import mock_veriff as veriff
from kit.goldens import by_place, facts_in, kept
from kit.mock_didit import control_request, didit_request, liveness_request, match_request, scene
from kit.mock_didit_sessions import advance_clock, list_request, on, read_media, update
from kit.mock_rekognition import card, pair, signed_compare, signed_request, without_header

from facematch_mock_server.base.messages import Request
from facematch_mock_server.claims import ActiveClaims
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors import all_claims, vendor_named, vendor_names
from facematch_mock_server.vendors.openapi import document_of
from facematch_mock_server.world.faults import Fault

BIG = 5 * 1024 * 1024 + 1
#: When the mock's clock stands in the scenario of Sumsub, once it has advanced.
LATER = didit.START + dt.timedelta(seconds=301)


def advance(seconds):
    return control_request("clock/advance", {"seconds": seconds})


def post_json(path, body):
    return didit_request(path, body, "application/json")


def answer_with_fault(status, request, kind="status", **more):
    """Return a step: the request, whose answer a fault replaces."""
    fault = Fault(stage="answer", kind=kind, status=status, **more)
    return lambda engine: didit.handle_with_fault(engine, fault, request)


def declare_too_long(path):
    """Return a step: the head of a request that declares too long a body."""
    head = Request(method="POST", target=path, headers=(("content-length", "99999999"),))
    return lambda engine: engine.begin(head)


def read_session_as_another_account(engine):
    account = engine.accounts.open("other")
    live_key, *_ = account.first_keys["didit"]
    return on(1, key=live_key)(engine)


def limit(scope, per_window):
    return control_request("limits", {scope: per_window})


WEBHOOK_CALL = match_request(vendor_data="emp-é", metadata='{"gate":2.0}')
NO_FORM = post_json(didit.MATCH_PATH, b"{}")
#: An own reply to a call that the mock lacks.
EXTRA = {
    "request": {"urlPath": "/v3/extra/"},
    "response": {"jsonBody": {"id": "{{request.query.id}}"}},
}

OF_DIDIT = {
    "match": (
        match_request(b"no picture"),
        match_request(scene(review=True)),
        match_request(key="mock-sandbox-key", vendor_data="emp-0042"),
    ),
    "liveness": (
        liveness_request(scene(score=None)),
        liveness_request(scene(blocklist="possible", duplicate="certain")),
        liveness_request(b"no picture"),
        liveness_request(key="mock-sandbox-key"),
        liveness_request(scene(score=91)),
        liveness_request(scene(score=91)),
        liveness_request(scene(faces=0)),
        liveness_request(scene(faces=2), rotate_image="true"),
        match_request(scene(faces=0)),
    ),
    "fields": (
        match_request(b"x" * BIG),
        match_request(metadata="[]"),
        match_request(metadata="", vendor_data=""),
        match_request(metadata="x" * 50_001, vendor_data="x" * 10_001),
        didit_request(didit.MATCH_PATH, b"x", "multipart/form-data"),
        didit_request(didit.MATCH_PATH, method="OPTIONS"),
        post_json("/v3/session/", b"null"),
        post_json("/v3/session/", b"[" * 100_000),
    ),
    "keys": (
        match_request(key="wrong"),
        control_request("keys", {"key": "past-key", "expires": "2026-07-01"}),
        match_request(key="past-key"),
    ),
    "credit": (
        sessions.session_request("/v3/billing/balance/"),
        control_request("ledger/balance", {"balance": "0"}),
        match_request(),
    ),
    "limits": (
        limit("management", 0),
        sessions.session_request("/v3/billing/balance/"),
        limit("session", 0),
        sessions.start(portrait_image=sessions.portrait()),
        limit("get", 0),
        list_request(),
        limit("write", 0),
        match_request(),
    ),
    "paths": (
        didit_request(didit.MATCH_PATH, method="GET"),
        didit_request("/v3/face-mach/"),
        didit_request("/v3/session/seven/decision/"),
        didit_request("/v3/workflows/", method="GET"),
        didit_request("/system/healthcheck", method="GET", key=None),
        didit_request("/elsewhere"),
        didit_request(didit.MATCH_PATH, b"x", "text/plain"),
        declare_too_long(didit.MATCH_PATH),
        declare_too_long("/__mock__/faults"),
    ),
    "replies": (
        control_request("replies", EXTRA),
        didit_request("/v3/extra/?id=7", key=None),
        didit_request("/v3/extra/", key=None),
    ),
    "faults": (
        answer_with_fault(503, NO_FORM),
        answer_with_fault(404, NO_FORM),
        answer_with_fault(502, NO_FORM, "html"),
        answer_with_fault(503, NO_FORM, "json", body={"detail": "own"}),
        answer_with_fault(200, NO_FORM, "wrong_json"),
    ),
    "decisions": (
        match_request(),
        on(1, query="?include=else"),
        on(1, query="?include=events"),
        on(9),
        limit("decision", 0),
        on(1),
    ),
    "version 2": (
        sessions.start_by_v2(),
        sessions.acting(1, "card", card="p1", document="p1"),
        sessions.on_v2(1),
        sessions.on(1, "simulate", {"new_status": "Expired"}),
    ),
    "pictures": (
        match_request(scene(score=55)),
        read_media(1, then=advance_clock(100)),
        read_media(1, then=advance_clock(3600)),
        read_media(1, change=lambda there: there[:-1] + "-"),
        read_media(1, method="POST"),
        read_media(1, host="evil.example"),
        read_media(9),
        read_media(1, then=sessions.forget),
    ),
    "lists": (
        list_request("session_type=FOO"),
        list_request(key=sessions.SANDBOX),
        sessions.session_request("/v3/sessions?limit=1"),
    ),
    "updates": (
        match_request(scene(score=55)),
        list_request(),
        update(1, {"new_status": "Approved"}),
        update(1, {"new_status": "Declined"}),
        update(1, {"new_status": "Resubmitted"}),
        update(1, []),
        sessions.put_into(1, "In Progress"),
        update(1),
        on(1),
        sessions.delete(1),
    ),
    "hosted": (
        control_request("sessions/workflows", {"id": sessions.WORKFLOW}),
        sessions.start(portrait_image=sessions.portrait(), vendor_data="u"),
        sessions.start(vendor_data="u"),
        sessions.acting(1, "card"),
        sessions.start(vendor_data="u"),
        sessions.start(),
        sessions.start(callback="javascript:x", portrait_image="x"),
        sessions.start(portrait_image=sessions.portrait(3 << 20)),
        sessions.start(sandbox_scenario="approve"),
        limit("sandbox_session", 1),
        sessions.start(sessions.SANDBOX, portrait_image=sessions.portrait()),
        sessions.start(sessions.SANDBOX, portrait_image=sessions.portrait()),
        sessions.arming(2, token="nobody"),
        sessions.arming(2),
        didit_request("/v1/sandbox/scenarios/", method="GET", key=sessions.SANDBOX),
        sessions.acting(2, "begin"),
        sessions.arming(2),
        control_request("sessions/block", {"vendor_data": "u"}),
        sessions.start(vendor_data="u"),
        sessions.start(workflow_id=sessions.NO_SESSION),
        control_request("ledger/balance", {"balance": "0"}),
        sessions.start(portrait_image=sessions.portrait()),
    ),
    "documents": (
        sessions.start(),
        sessions.acting(1, "card"),
        sessions.showing(1, full_name="Ada Lovelace", date_of_birth="1980-01-01"),
        on(1),
    ),
    "doors": (
        liveness_request(),
        read_session_as_another_account,
        on(1, key=sessions.SANDBOX),
        update(1, b"{", key=None),
    ),
    "webhooks": (
        webhooks.listen(),
        WEBHOOK_CALL,
        webhooks.carried(500),
        WEBHOOK_CALL,
        webhooks.carried(404),
        WEBHOOK_CALL,
        webhooks.carried("timeout"),
        WEBHOOK_CALL,
        webhooks.carried(302),
        WEBHOOK_CALL,
        webhooks.carried(401),
        advance(60),
        webhooks.carried(),
    ),
}


DEEPVUE_MATCH = deepvue.with_deepvue_token(deepvue.deepvue_match())
JPEG = deepvue.jpeg_scene()
OF_DEEPVUE = {
    "tokens": (
        deepvue.authorize(secret="wrong"),
        didit_request(deepvue.AUTHORIZE, method="GET", key=None),
    ),
    "guards": (deepvue.deepvue_match(key="wrong"),),
    "clients": (
        control_request("keys", {"key": "weak-secret", "allowed": False}),
        deepvue.with_deepvue_token(deepvue.deepvue_match(key="weak-secret")),
        control_request("keys/revoke", {"key": deepvue.SECRET}),
        deepvue.authorize(),
    ),
    "answers": (
        deepvue.with_deepvue_token(deepvue.deepvue_match(scene(), scene())),
        deepvue.with_deepvue_token(deepvue.deepvue_match(), change=lambda token: "unknown"),
        deepvue.with_deepvue_token(deepvue.deepvue_match(JPEG, JPEG)),
        deepvue.with_deepvue_token(deepvue.post_liveness({"image": "not base64!"})),
    ),
    "rates": (
        deepvue.wallet(client="nobody"),
        limit("second", 0),
        DEEPVUE_MATCH,
        control_request("limits", {"second": None, "minute": 0}),
        DEEPVUE_MATCH,
        control_request("limits", {"minute": None, "day": 0}),
        DEEPVUE_MATCH,
    ),
    "faults": (answer_with_fault(418, deepvue.deepvue_match()),),
}


def with_example(ask):
    """A step that adds an example, and then sends the request that `ask` makes of its path."""

    def step(engine):
        added = engine.handle(compreface.add_example("grace")).json()
        return engine.handle(ask(f"{compreface.FACES}/{added['image_id']}"))

    return step


OF_COMPREFACE = (
    compreface.ask("POST", compreface.SUBJECTS, {"subject": "ada"}),
    compreface.ask("POST", compreface.SUBJECTS, {"subject": "ada"}),
    compreface.ask("POST", compreface.SUBJECTS, {"subject": " "}),
    compreface.ask("POST", compreface.SUBJECTS, {"subject": "a" * 51}),
    compreface.ask("POST", compreface.SUBJECTS, {"subject": "a;b"}),
    compreface.ask("PUT", f"{compreface.SUBJECTS}/ada", {"subject": "grace"}),
    compreface.ask("PUT", f"{compreface.SUBJECTS}/ada", {"subject": "grace"}),
    compreface.ask("GET", f"{compreface.SUBJECTS}/"),
    compreface.file_request(compreface.FACES),
    compreface.add_example("%20"),
    compreface.add_example("grace"),
    compreface.ask("GET", compreface.FACES),
    with_example(lambda path: compreface.ask("GET", f"{path}/img")),
    with_example(lambda path: compreface.file_request(f"{path}/verify")),
    with_example(lambda path: compreface.ask("DELETE", path)),
    compreface.ask("DELETE", f"{compreface.FACES}/00000000-0000-4000-8000-00000000000a"),
    compreface.recognize(),
    compreface.recognize(query="?prediction_count=0"),
    compreface.recognize(key=compreface.KEY),
    compreface.detect(),
    compreface.file_request(compreface.DETECT),
    compreface.ask("DELETE", compreface.SUBJECTS),
    compreface.verification_request(scene(faces=2)),
    compreface.verification_request(scene(faces=2), scene(faces=3), query="?limit=1"),
    compreface.verification_request(key=None),
    compreface.verification_request(key="wrong"),
    compreface.verification_request(target=False),
    compreface.verification_request(names=("a.jpg", "b.heic")),
    compreface.verification_request(b"x" * BIG),
    compreface.verification_request(query="?limit=-1"),
    compreface.json_request(source_image=None),
    compreface.json_request(target_image="data:image/png;base64,AAAA"),
    attrs.evolve(compreface.json_request(), body=b"["),
    attrs.evolve(compreface.verification_request(), method="PUT"),
    compreface.request_of_type("text/plain"),
    compreface.request_of_type("application/json", b" " * (10 * 1024 * 1024 + 1)),
)


def facepp_compare_by_token(engine):
    (face,) = engine.handle(facepp.detect_request()).json()["faces"]
    return engine.handle(facepp.compare_request(False, face_token1=face["face_token"]))


OF_FACEPP = (
    facepp.compare_request(scene(faces=0)),
    facepp.compare_request(b"no picture"),
    facepp.compare_request(False, image_base64_1="not base64!"),
    facepp.compare_request(image_file2=False),
    facepp.compare_request(b"x" * (2 * 1024 * 1024 + 1)),
    facepp.compare_request(rekognition.draw_picture(size=(40, 40))),
    facepp.compare_request(rekognition.draw_picture("WEBP")),
    facepp.compare_request(keys={"api_key": facepp.API_KEY}),
    facepp.compare_request(keys={**facepp.KEYS, "api_secret": "wrong"}),
    facepp.request_of_type("text/plain"),
    facepp.request_of_type("multipart/form-data"),
    facepp.compare_request(path="/facepp/v3/nothing"),
    facepp.compare_request(face_token1="unknown"),
    facepp.compare_request(False, image_url1="ftp://no-link"),
    facepp.detect_request(return_attributes="age,emotion"),
    facepp.detect_by_query(),
    facepp.detect_request(return_landmark="1"),
    facepp_compare_by_token,
    answer_with_fault(400, facepp.compare_request()),
    answer_with_fault(403, facepp.compare_request()),
    answer_with_fault(500, facepp.compare_request()),
    limit("second", 0),
    facepp.compare_request(),
    limit("second", None),
    control_request("ledger/balance", {"balance": "0"}),
    facepp.compare_request(),
)


OF_TENCENT = (
    tencent.compare_request(token="of-a-temporary-key"),
    tencent.compare_request(scene(faces=2)),
    tencent.liveness_request(),
    tencent.liveness_request(scene(faces=0)),
    tencent.liveness_request(region=None),
    tencent.liveness_request(region="eu-frankfurt"),
    tencent.compare_request(b"no picture"),
    tencent.compare_request(fields={"ImageA": "not base64!"}),
    tencent.compare_request(fields={"UrlA": "https://faces.example/a.jpg"}),
    tencent.compare_request(fields={"FaceModelVersion": "1.0"}),
    tencent.compare_request(False),
    tencent.compare_request(b"x" * BIG),
    tencent.compare_request(rekognition.draw_picture("GIF")),
    tencent.compare_request(rekognition.draw_picture(size=(63, 200))),
    tencent.compare_request(rekognition.draw_picture(size=(2001, 200))),
    tencent.compare_request(action="NoSuchAction"),
    tencent.compare_request(version="2018-03-01"),
    tencent.compare_request(version="2017-03-12"),
    tencent.liveness_request(action="DetectLiveFace"),
    tencent.detect_request(fields={"NeedQualityDetection": 1, "NeedRotateDetection": 1}),
    tencent.detect_request(fields={"MinFaceSize": 1000}),
    tencent.compare_request(scene(quality=10), fields={"QualityControl": 1}),
    tencent.compare_request(fields={"QualityControl": 5}),
    tencent.signed_request(b"["),
    tencent.signed_request(b" " * (10 * 1024 * 1024 + 1)),
    without_header(tencent.compare_request(), "authorization"),
    tencent.compare_request(service="cvm"),
    tencent.compare_request(at=didit.START - dt.timedelta(minutes=6)),
    tencent.compare_request(secret_id="another-id"),
    tencent.compare_request(secret_key="another-key"),
    control_request("keys", {"key": "old-key", "client": "old", "expires": "2026-07-01"}),
    tencent.compare_request(secret_id="old", secret_key="old-key"),
    control_request("keys", {"key": "weak-key", "client": "weak", "allowed": False}),
    tencent.compare_request(secret_id="weak", secret_key="weak-key"),
    limit("second", 0),
    tencent.compare_request(),
    limit("second", None),
    control_request("ledger/balance", {"balance": "0"}),
    tencent.compare_request(),
)


OF_SUMSUB = (
    webhooks.listen(events=["applicantCreated", "applicantPending", "applicantReviewed"]),
    sumsub.create(),
    sumsub.create(),
    sumsub.create(level=""),
    sumsub.signed("POST", "/resources/applicants?levelName=basic", b"["),
    sumsub.link(redirect={"successUrl": "https://shop.example/done"}, query="?lang=es"),
    sumsub.link(ttlInSecs=0),
    sumsub.link("another-person"),
    sumsub.read(1),
    sumsub.steps_of(1),
    sumsub.checked(1),
    sumsub.decided(1, "completed RED FINAL"),
    sumsub.decided(1, "awaitingService"),
    sumsub.decided(1, "completed GREEN"),
    webhooks.carried(302),
    sumsub.decided(1, "completed GREEN"),
    webhooks.carried(400),
    sumsub.decided(1, "completed GREEN"),
    webhooks.carried(404),
    sumsub.decided(1, "completed GREEN"),
    webhooks.carried(500),
    sumsub.decided(1, "completed GREEN"),
    webhooks.carried("timeout"),
    advance(301),
    webhooks.carried(),
    sumsub.signed("GET", "/resources/applicants/-;externalUserId=a-person/one", at=LATER),
    sumsub.signed("GET", "/resources/applicants/-/byExternalUserId/a-person", at=LATER),
    sumsub.signed("GET", "/resources/applicants/-/byExternalUserId/nobody", at=LATER),
    sumsub.signed("GET", f"/resources/applicants/{'0' * 24}/one", at=LATER),
    sumsub.signed("GET", "/resources/applicants/000/one", at=LATER),
    sumsub.signed("GET", "/resources/inspections/1", at=LATER),
    sumsub.token(slash="/", how={"at": LATER}),
    sumsub.frame_of_new_token(at=LATER),
    sumsub.token_by_query(at=LATER),
    sumsub.token_by_query("userId=a-person", at=LATER),
    sumsub.link_of_level(at=LATER),
    sumsub.signed("GET", "/resources/applicants/-;externalUserId=a-person", at=LATER),
    sumsub.signed("POST", "/resources/applicants", {"externalUserId": "no-level"}, at=LATER),
    sumsub.checking(3),
    sumsub.adding(3, didit.P1, x_return_doc_warnings="true"),
    sumsub.adding(3, didit.P1),
    sumsub.adding(3, b"0" * 64_000_001),
    sumsub.checking(3),
    sumsub.decided(3, "pending"),
    sumsub.checking(3),
    sumsub.signed("GET", "/resources/applicants", at=LATER),
    sumsub.applicant(1, "POST", "status/testCompleted", {}),
    sumsub.applicant(1, "PATCH", "presence/deactivated"),
    sumsub.applicant(1, "PATCH", "presence/deactivated"),
    sumsub.applicant(1, "PATCH", "presence/activated"),
    sumsub.applicant(1, "POST", "reset"),
    sumsub.decided(2, "pending"),
    sumsub.applicant(2, "PATCH", "presence/deactivated"),
    sumsub.decided(2, "completed GREEN"),
    sumsub.applicant(2, "PATCH", "presence/deactivated"),
    sumsub.applicant(2, "POST", "reset"),
    sumsub.link("a-tester", how={"at": LATER, **sumsub.SANDBOX}),
    sumsub.checked(4),
    sumsub.complete_test(4, "RED", reviewRejectType="RETRY", clientComment="Blurred."),
    sumsub.complete_test(4, "BLUE"),
    sumsub.steps_of(4, **sumsub.SANDBOX),
    sumsub.create(x_app_token=None),
    sumsub.create(token="app-token"),
    sumsub.create(x_app_access_ts="soon"),
    sumsub.create(at=didit.START - dt.timedelta(seconds=61)),
    sumsub.create(token="prd:another-token", at=LATER),
    sumsub.create(key="another-key", at=LATER),
    control_request("keys", {"key": "old-key", "client": "prd:old", "expires": "2026-07-01"}),
    sumsub.create(token="prd:old", key="old-key", at=LATER),
    control_request("keys", {"key": "weak-key", "client": "prd:weak", "allowed": False}),
    sumsub.create(token="prd:weak", key="weak-key", at=LATER),
    control_request("sessions/levels", {"name": "basic"}),
    sumsub.create("third-person", level="Basic", at=LATER),
    limit("sandbox", 0),
    sumsub.create("fourth-person", at=LATER, **sumsub.SANDBOX),
    limit("post", 0),
    sumsub.create("fifth-person", at=LATER),
    limit("get", 0),
    sumsub.read(1),
)


def compare_embeddings(engine):
    """Compare the embedding of a face with itself."""
    body = engine.handle(deepface.represent_request()).json()
    embedding = body["results"][0]["embedding"]
    return engine.handle(deepface.verify_request(embedding, embedding))


OF_DEEPFACE = (
    deepface.analyze_request(),
    deepface.analyze_request(actions=["mood"]),
    deepface.represent_request(scene(faces=0), enforce_detection=False),
    deepface.request_of_type(
        "application/json", b'{"img1_path": "/srv/ada.png", "img2": "data:image/png;base64,"}'
    ),
    deepface.verify_request(scene(faces=2)),
    deepface.verify_request(scene(attack=True), anti_spoofing=True),
    deepface.verify_request(scene(faces=0)),
    deepface.verify_request(b"no picture"),
    deepface.verify_request(rekognition.draw_picture("WEBP")),
    deepface.verify_request(img2=None),
    deepface.verify_request(img2="/etc/hosts"),
    deepface.verify_request(model_name="Nope"),
    deepface.verify_request(distance_metric="manhattan"),
    deepface.verify_request(token=None),
    deepface.verify_request(token="wrong"),
    deepface.request_of_type("text/plain", b"img1"),
    deepface.request_of_type("multipart/form-data", b"img1"),
    deepface.request_of_type("application/json", b"{"),
    deepface.verify_request(img1=[0.5]),
    deepface.verify_request(img1=["0.5"]),
    deepface.verify_request(img1=[0.5] * 4096),
    deepface.represent_request(),
    compare_embeddings,
    deepface.represent_request(scene(attack=True), anti_spoofing=True),
    deepface.represent_request(scene(faces=0)),
    deepface.represent_request(b"no picture"),
    deepface.represent_request(rekognition.draw_picture("WEBP")),
    deepface.represent_request(model_name="Nope"),
    deepface.represent_request("/etc/hosts"),
    attrs.evolve(deepface.verify_request(), method="GET"),
    answer_with_fault(500, deepface.verify_request()),
)


OF_REGULA = (
    regula.match_request(scene(faces=2), scene(faces=2)),
    regula.match_request(scene(faces=2), detect_all=False),
    regula.match_request(scene(faces=0)),
    regula.match_request(b"no picture"),
    regula.match_request(reference=False),
    regula.request_with({"images": [{"data": "not base64!"}, {"data": "AAAA"}]}),
    attrs.evolve(regula.match_request(), body=b"{"),
    regula.detect_request(),
    regula.request_with({}, path="/api/detect"),
    regula.match_all(scene(), scene(), scene(faces=0)),
    regula.get_request("/api/healthz"),
    regula.get_request("/api/readyz"),
    regula.get_request("/api/match"),
    answer_with_fault(400, regula.match_request()),
    answer_with_fault(403, regula.match_request()),
    answer_with_fault(500, regula.match_request()),
    control_request("ledger/balance", {"balance": "0"}),
    regula.match_request(),
)


def compare_at_azure(probe=None, **how):
    """Return a step that compares two pictures, or without approval is refused their ids."""

    def step(engine):
        if engine.world.switches:
            return engine.handle(azure.detect_request())
        return azure.compare_pictures(engine, probe, **how)

    return step


WITHOUT_ID = "returnFaceId=false"
NAMED = "https://cdn.example/p1.png"
OF_AZURE = (
    compare_at_azure(azure.large_scene(score=None)),
    compare_at_azure(query="recognitionModel=recognition_04"),
    azure.detect_request(query="returnFaceId=maybe"),
    azure.detect_request(key=None, authorization="Bearer nobody"),
    *[azure.detect_request(query=query) for query in azure.REFUSED],
    azure.detect_request(azure.large_scene(size=1023), WITHOUT_ID),
    azure.detect_request(b"\xff\xd8\xff" + b"x" * 6 * 1024 * 1024, WITHOUT_ID),
    azure.detect_request(b"%PDF-".ljust(1024), WITHOUT_ID),
    azure.detect_request(b"{}", WITHOUT_ID, kind=azure.JSON),
    azure.detect_request(didit.json_bytes({"url": NAMED}), WITHOUT_ID, kind=azure.JSON),
    control_request("pictures", {"name": NAMED, "card": "p1"}),
    azure.detect_request(didit.json_bytes({"url": NAMED}), WITHOUT_ID, kind=azure.JSON),
    azure.azure_request(azure.VERIFY, b"{", azure.JSON),
    azure.verify_request("one", "two"),
    azure.azure_request(azure.VERIFY, b'{"faceid1": "one"}', azure.JSON),
    azure.azure_request(azure.VERIFY, b'{"personId": "x"}', azure.JSON),
    attrs.evolve(azure.verify_request(), method="PUT"),
    azure.start_request(),
    advance(600),
    azure.on_newest(),
    azure.on_newest(azure.WITH_VERIFY),
    azure.start_request(livenessOperationMode="Active"),
    azure.start_request(deviceCorrelationId=None),
    azure.start_request(authTokenTimeToLiveInSeconds=59),
    azure.start_request(b""),
    azure.start_request(azure.large_scene(faces=0)),
    azure.start_request(azure.large_scene(faces=2)),
    azure.on_newest(azure.IMAGES),
    limit("resource", 1),
    azure.verify_request(),
    azure.verify_request(),
    control_request("limits", {"resource": None, "month": 0}),
    azure.verify_request(),
)


def compare_too_large_a_picture_in_s3(engine):
    engine.account.named_pictures["photos/large"] = b"x" * (15 * 1024 * 1024 + 1)
    place = {"Bucket": "photos", "Name": "large"}
    return engine.handle(signed_request({"SourceImage": {"S3Object": place}}))


OF_REKOGNITION = (
    signed_compare(target=card("p1", faces=2), SimilarityThreshold=0, QualityFilter="HIGH"),
    signed_compare(target=card("p1", faces=0)),
    rekognition.signed_detect(card("p1", faces=2), Attributes=["ALL"]),
    signed_compare(source=card("p1", faces=2)),
    signed_compare(source=rekognition.draw_picture("JPEG")),
    signed_compare(target=rekognition.draw_picture("WEBP")),
    signed_compare(rekognition.draw_picture(size=(79, 200))),
    signed_compare(b"x" * BIG),
    signed_request({"SourceImage": {"S3Object": {"Bucket": "b", "Name": "n"}}}),
    signed_request({"SourceImage": {"S3Object": {"Bucket": "photos", "Name": "n"}}}),
    compare_too_large_a_picture_in_s3,
    signed_request(b"{"),
    signed_compare(SimilarityThreshold=101),
    signed_request({}, "IndexFaces"),
    without_header(signed_compare(), "authorization"),
    without_header(signed_compare(), "x-amz-date"),
    signed_request(pair(), key="somebody-else"),
    signed_request(pair(), service="s3"),
    signed_request(pair(), token="of-a-session"),
    signed_request(pair(), at=dt.datetime.now(dt.UTC)),
    signed_request(pair(), at=didit.START - dt.timedelta(minutes=16)),
    signed_request(pair(), at=dt.datetime(2999, 1, 1, tzinfo=dt.UTC)),
    control_request("keys", {"key": "weak-key", "client": "weak", "allowed": False}),
    signed_request(pair(), key="weak", secret="weak-key"),
    answer_with_fault(500, signed_compare()),
    limit("second", 1),
    signed_compare(),
    signed_compare(),
    control_request("limits", {"second": None, "increase": 0}),
    signed_compare(),
    control_request("limits", {"increase": None, "capacity": 0}),
    signed_compare(),
)

OF_FACE_LIVENESS = (
    rekognition.signed_start(ClientRequestToken="one"),
    rekognition.signed_start(ClientRequestToken="one"),
    rekognition.signed_start(KmsKeyId="-"),
    rekognition.signed_start(Settings={"OutputConfig": {"S3Bucket": "bucket"}}),
    sessions.acting(1, "card"),
    rekognition.reading(1),
    sessions.acting(2, "card"),
    rekognition.reading(2),
    advance(181),
    rekognition.reading(1),
)


def compare_by_expired_token(engine):
    token = baidu.token_of(engine)
    engine.handle(advance(31 * 86_400))
    return engine.handle(baidu.match(token=token))


OF_BAIDU = (
    baidu.match(),
    baidu.faceverify(),
    baidu.login(method="GET"),
    baidu.login(grant_type="password"),
    baidu.login(client_id="nobody"),
    baidu.login(client_secret="wrong"),
    baidu.with_token(baidu.match(), change=lambda token: f"{token}0"),
    baidu.match(authorization=None),
    baidu.match(authorization="Bearer bce-v3/ALTAK-nobody/key"),
    baidu.match(authorization="bce-auth-v1/key/2026-11-28T08:00:00Z/1800/host/0"),
    control_request("keys", {"key": "bce-v3/ALTAK-weak/key", "allowed": False}),
    baidu.match(authorization="Bearer bce-v3/ALTAK-weak/key"),
    baidu.post(b"{"),
    baidu.post([baidu.picture()]),
    baidu.post([baidu.picture(image=None), baidu.picture()]),
    baidu.post([baidu.picture(image_type="FILE"), baidu.picture()]),
    baidu.post([baidu.picture(image_type="URL"), baidu.picture()]),
    baidu.post([baidu.picture(image_type="FACE_TOKEN"), baidu.picture()]),
    baidu.detect(face_field="age,beauty", max_face_num="many"),
    baidu.post(b"image_type=BASE64", baidu.DETECT, kind="application/x-www-form-urlencoded"),
    baidu.detect(scene(quality=10), quality_control="LOW"),
    baidu.detect(scene(score=10), liveness_control="NORMAL"),
    baidu.person_verify(),
    baidu.person_verify(name=None),
    baidu.post([baidu.picture(image="not base64!"), baidu.picture()]),
    baidu.match(b"x" * 1_600_000),
    baidu.match(rekognition.draw_picture("WEBP")),
    baidu.match(rekognition.draw_picture(size=(1921, 80))),
    baidu.match(b"no picture"),
    baidu.match(scene(faces=0)),
    baidu.match(path="/rest/2.0/face/v3/nothing"),
    answer_with_fault(500, baidu.match()),
    limit("second", 0),
    baidu.match(),
    limit("second", None),
    control_request("ledger/balance", {"balance": "0"}),
    baidu.match(),
    compare_by_expired_token,
)

OF_VERIFF = (
    webhooks.listen(events=["decision", "event"]),
    veriff.about(veriff.UNKNOWN, "GET", "/watchlist-screening"),
    veriff.request("POST", veriff.SESSIONS, {}, client=None),
    veriff.request("POST", veriff.SESSIONS, {}, client="no UUID"),
    veriff.request("POST", veriff.SESSIONS, {}, client=veriff.UNKNOWN),
    control_request("keys", {"key": "weak-key", "client": veriff.WEAK, "allowed": False}),
    veriff.request("POST", veriff.SESSIONS, {}, client=veriff.WEAK, secret="weak-key"),
    veriff.request("POST", veriff.SESSIONS, {"verification": {}}, signed=b"another body"),
    veriff.request("POST", veriff.SESSIONS, b"[]", signed=False),
    veriff.start(callback="ftp://shop.example"),
    veriff.start(callback="http://127.0.0.1/back", lang="pt"),
    veriff.start(vendorData=1),
    veriff.start(vendorData="x" * 1001),
    veriff.start(endUserId="no UUID"),
    veriff.start(timestamp="yesterday"),
    veriff.start(timestamp=(didit.START - dt.timedelta(hours=2)).isoformat()),
    veriff.decision(1, signed=False),
    veriff.decision(1, signed=b"the path"),
    veriff.at_session(1, "GET", "/decision", malformed=True),
    veriff.about(veriff.UNKNOWN, "GET", "/decision"),
    veriff.attempts(1),
    # A person whose face is not seen, who tries again, and passes.
    sessions.acting(1, "card", card="no-face"),
    veriff.decision(1),
    sessions.acting(1, "card", card="p1"),
    # The five webhooks: started, submitted, started, submitted, approved.
    webhooks.carried(500, 404, "timeout", 302, 401),
    advance(3600),
    # A picture to compare with.
    veriff.start(vendorData="of-a-record"),
    veriff.at_session(2, "POST", "/media", body={}),
    veriff.media(2, veriff.reference(content="")),
    veriff.media(2, veriff.reference(content="not base64!")),
    veriff.media(2, veriff.reference(context="selfie")),
    veriff.media(2, veriff.reference()),
    veriff.media(2, veriff.reference(b"x" * 17_000_001)),
    sessions.acting(2, "card", card="p2"),
    veriff.media(2, veriff.reference()),
    # A test integration, which decides nothing by itself.
    veriff.start(test=True),
    veriff.deletion(3),
    sessions.acting(3, "card"),
    veriff.decision(3, client=veriff.TEST_API_KEY, secret=veriff.TEST_SECRET),
    veriff.at_session(3, "DELETE", client=veriff.TEST_API_KEY, secret=veriff.TEST_SECRET),
    veriff.start(),
    sessions.acting(4, "fail_attempt"),
    advance(300),
    webhooks.carried(),
    veriff.deletion(4),
    limit("delete_per_hour", 0),
    veriff.deletion(2),
    control_request("limits", {"delete_per_hour": None, "delete_per_day": 0}),
    veriff.deletion(2),
    answer_with_fault(500, veriff.start()),
    # Pictures that a program sends itself, at a path with a slash.
    veriff.request("POST", f"{veriff.SESSIONS}/", {"verification": {}}),
    veriff.media(5, veriff.reference(context="face")),
    veriff.media(5, veriff.reference(context="document-front")),
    veriff.at_session(5, "PATCH", body={"verification": {"status": "submitted"}}),
    veriff.at_session(5, "PATCH", body={"verification": {"status": "submitted"}}),
    veriff.at_session(5, "GET", "/decision/fullauto?version=1.0.0"),
    veriff.at_session(5, "GET", "/person"),
)


OF_ONFIDO = (
    onfido.ask(onfido.APPLICANTS, onfido.NAME),
    onfido.ask(onfido.APPLICANTS, {"first_name": "#"}),
    onfido.ask(onfido.APPLICANTS, onfido.NAME, token="api_live.nobody"),
    onfido.ask(onfido.APPLICANTS),
    control_request("keys", {"key": "api_live.weak", "allowed": False}),
    onfido.ask(onfido.APPLICANTS, token="api_live.weak"),
    onfido.login(),
    onfido.login(client_secret="wrong"),
    onfido.ask(onfido.WEBHOOKS, {"url": onfido.HOOK}),
    onfido.on_webhook(),
    onfido.starting(tags=["a"]),
    onfido.starting(token=onfido.SANDBOX_TOKEN),
    onfido.ask(onfido.RUNS, tags="a"),
    onfido.starting(),
    sessions.acting(3, "card"),
    webhooks.carried("no answer"),
    advance(60),
    webhooks.carried(500),
    advance(600),
    webhooks.carried(302),
    onfido.on_newest(),
    onfido.on_newest(token=onfido.SANDBOX_TOKEN),
    lambda engine: engine.handle(onfido.sdk_token(onfido.new_applicant(engine), slash="/")),
    lambda engine: engine.handle(onfido.sdk_token_by_form(onfido.new_applicant(engine))),
    onfido.starting(),
    sessions.acting(4, "card", card="p2", document="p1"),
    webhooks.carried(404),
    advance(60),
    webhooks.carried(403),
    onfido.starting(),
    sessions.acting(5, "expire"),
    onfido.on_newest(),
    onfido.deciding("error"),
    onfido.on_newest(),
    onfido.on_its_applicant(method="DELETE"),
    onfido.on_its_applicant(),
    onfido.on_newest(),
    onfido.on_its_applicant("/restore", {}),
    onfido.on_its_applicant(),
    onfido.ask(f"{onfido.RUNS}/{onfido.NOBODY}/tasks"),
    onfido.ask(onfido.APPLICANTS, onfido.NAME),
    onfido.uploading("live_photos"),
    onfido.checking("document"),
    onfido.uploading("documents"),
    onfido.uploading("live_photos", advanced_validation="false"),
    onfido.checking("watchlist_aml", applicant_provides_data=True),
    onfido.checking("document", "facial_similarity_photo"),
    webhooks.carried(),
    onfido.listing("documents"),
    onfido.listing("checks"),
    onfido.listing_reports(),
    onfido.ask(onfido.APPLICANTS, onfido.NAME, token=onfido.SANDBOX_TOKEN),
    onfido.uploading("documents", token=onfido.SANDBOX_TOKEN),
    onfido.checking("document", token=onfido.SANDBOX_TOKEN, consider=["document"]),
    onfido.checking("document", token=onfido.SANDBOX_TOKEN, sub_result="rejected"),
    onfido.ask("/v3.4/applicants", onfido.NAME),
    control_request("limits", {"live": 0, "sandbox": 0}),
    onfido.ask(onfido.APPLICANTS),
    onfido.ask(onfido.APPLICANTS, token=onfido.SANDBOX_TOKEN),
)


OF_PERSONA = (
    persona.persona_request(key=None),
    persona.persona_request(key="wrong"),
    control_request("keys", {"key": "weak-key", "allowed": False}),
    persona.persona_request(key="weak-key"),
    persona.persona_request(persona_version="2023-01-05"),
    webhooks.listen(secret="wbhsec_of-the-receiver"),
    persona.starting(
        {"auto-create-inquiry-session": True, "auto-create-one-time-link": True},
        idempotency_key="one",
        inflection="snake",
    ),
    persona.starting({"auto-create-account": False}, idempotency_key="one"),
    persona.starting(idempotency_key="two"),
    persona.starting(idempotency_key="two"),
    persona.starting(
        {"auto-create-account": False, "auto-create-account-reference-id": "customer-17"}
    ),
    persona.starting(inquiry_template_id=None),
    persona.starting(inquiry_template_id="wkfl_other"),
    persona.persona_request(body=b"["),
    persona.persona_request(body={"data": {"attributes": {"picture": "x"}}}),
    persona.persona_request(body={"data": {"attributes": []}}),
    persona.persona_request(),
    persona.persona_request(f"{persona.INQUIRIES}?filter[note]=x&filter[status]=created"),
    persona.about(9),
    persona.about(1, "/generate-one-time-link", {"meta": {"expires-in-seconds": 60}}),
    persona.about(1, "/resume", method="POST"),
    persona.framed(1),
    persona.framed(9),
    persona.exhausted(1),
    sessions.acting(1, "card", card="p1", document="p1"),
    persona.reading(1),
    persona.about(1, "/decline", method="POST"),
    persona.about(1, "/mark-for-review", method="POST"),
    persona.about(1, "/print", method="POST"),
    persona.simulating(1, "approve_inquiry", key=persona.LIVE),
    sessions.acting(2, "abandon"),
    persona.reading(2),
    persona.about(2, "/resume", method="POST"),
    persona.about(2, method="DELETE"),
    persona.about(2, method="DELETE"),
    persona.starting(key=persona.SANDBOX),
    persona.simulating(3, "start_inquiry", "create_passed_verification"),
    webhooks.carried(500, 404, 302, 400, "timeout"),
    advance(3),
    webhooks.carried(),
    persona.persona_request(
        "/api/v1/webhooks",
        {"data": {"attributes": {"name": "a", "url": webhooks.HOOK, "enabled-events": ["*"]}}},
    ),
    persona.persona_request(
        "/api/v1/webhooks",
        {"data": {"attributes": {"url": "https://shop.example/", "enabled-events": ["*"]}}},
    ),
    persona.changing_webhook("enable"),
    persona.changing_webhook("rotate-secret"),
    *persona.PROGRAMS,
    webhooks.carried(),
    limit("inquiry", 0),
    persona.starting(),
    limit("request", 0),
    persona.persona_request(),
)


@attrs.frozen
class Scenario:
    """Steps of one mock: requests, and functions that are given the engine."""

    vendor: str
    steps: tuple
    switches: dict | None = None
    #: None: pictures say what they show.
    recognizer: Recognizer | None = None

    def play(self):
        """Return the answers, and the entries of the journal."""
        engine = didit.new_engine(self.recognizer, vendor=self.vendor, switches=self.switches)
        answers = []
        for step in self.steps:
            answers.append(step(engine) if callable(step) else engine.handle(step))
        return answers, engine.account.journal.entries


#: Other switches of Didit, and the scenario that they change.
SWITCHED = (
    ("match", {"in_review": True}),
    ("keys", {"bad_key": 403}),
    ("decisions", {"empty_blocks": "list"}),
    ("liveness", {"quality_warnings": True}),
    ("hosted", {"session_charged": "created"}),
    ("hosted", {"session_charged": "never"}),
)
CARDS = Recognizer()
SCENARIOS = [
    Scenario("azure", OF_AZURE),
    Scenario("azure", OF_AZURE, {"access": "unapproved"}),
    Scenario("baidu", OF_BAIDU, {"price": "0.01"}),
    Scenario("compreface", OF_COMPREFACE),
    Scenario("deepface", OF_DEEPFACE, {"auth": "token"}),
    Scenario("deepface", OF_DEEPFACE, {"auth": "none"}),
    Scenario("facepp", OF_FACEPP, {"price": "0.01"}),
    Scenario("facepp", OF_FACEPP, {"limit": "together"}),
    Scenario("onfido", OF_ONFIDO, {"session_charged": "finished"}),
    Scenario("onfido", OF_ONFIDO, {"session_charged": "created"}),
    Scenario("onfido", OF_ONFIDO, {"session_charged": "never"}),
    Scenario("persona", OF_PERSONA, {"price": "0.01"}),
    Scenario(
        "persona",
        OF_PERSONA,
        {"key_inflection": "camel", "liveness": "not_required", "session_charged": "created"},
    ),
    Scenario(
        "persona",
        OF_PERSONA,
        {"key_inflection": "snake", "session_charged": "never", "workflow": "none"},
    ),
    Scenario("regula", OF_REGULA, {"price": "0.01"}),
    Scenario("rekognition", OF_REKOGNITION, {"auth_names": "observed"}, CARDS),
    Scenario("rekognition", OF_REKOGNITION, {"auth_names": "documented"}, CARDS),
    Scenario("rekognition", OF_FACE_LIVENESS, {}, CARDS),
    Scenario("rekognition", OF_FACE_LIVENESS, {"session_charged": "never"}, CARDS),
    Scenario(
        "rekognition",
        OF_FACE_LIVENESS,
        {"session_over": "expired", "session_charged": "created"},
        CARDS,
    ),
    Scenario("sumsub", OF_SUMSUB, {"sandbox_selfie": "same"}),
    Scenario("sumsub", OF_SUMSUB, {"webhook_algorithm": "HMAC_SHA512_HEX"}),
    Scenario("sumsub", OF_SUMSUB, {"webhook_algorithm": "HMAC_SHA1_HEX"}),
    Scenario("tencent", OF_TENCENT, {"price": "0.01"}),
    Scenario("veriff", OF_VERIFF, {"plan": "plus"}, CARDS),
    Scenario("veriff", OF_VERIFF, {"plan": "essential"}, CARDS),
]
SCENARIOS += [Scenario("didit", steps) for steps in OF_DIDIT.values()]
SCENARIOS += [Scenario("didit", OF_DIDIT[name], switches) for name, switches in SWITCHED]
SCENARIOS += [Scenario("deepvue", steps) for steps in OF_DEEPVUE.values()]


def claims_in(document):
    """Return the claims behind the samples and errors of an OpenAPI document."""
    claims = set()
    for operation_of_method in document["paths"].values():
        for operation in operation_of_method.values():
            for answer in operation["responses"].values():
                claims.update(answer["x-facematch-claims"])
    return claims


#: A segment of a path, or a key of an answer, that is another one in each session or account.
ID = re.compile(
    r"[0-9a-f]{8}-[-0-9a-f]{27}|[0-9a-f]{24}|[a-z]+_[0-9A-Za-z]{16,}|[-\w]{40,}|\d+", re.ASCII
)
KEPT = Path(__file__).parent / "golden/answers.txt"


def hide_id(text):
    return "{id}" if ID.fullmatch(text) else text


def route_of(path):
    """Return the path with `{id}` for what is another one in each session."""
    return "".join(hide_id(part) for part in re.split("([/;=:])", path))


def keys_of(value):
    """Return the keys of JSON in words, without any value: `{a b{c} d[{e}]}`."""
    if isinstance(value, dict):
        keys = [f"{hide_id(key)}{keys_of(inner)}" for key, inner in value.items()]
        return f"{{{' '.join(keys)}}}"
    if isinstance(value, list):
        items = dict.fromkeys(keys_of(item) for item in value)
        return f"[{' or '.join(items)}]"
    return ""


def describe_body(answer):
    """Return the keys of a body, or the type of one that is no JSON."""
    media_type = dict(answer.headers).get("Content-Type", "no body")
    if "json" not in media_type or not answer.body:
        return media_type
    try:
        return keys_of(json.loads(answer.body)) or "a value"
    except ValueError:
        return "broken JSON"


def facts_of(entry):
    """Return the answer of an entry, in words, with each claim behind it."""
    if entry.answer is None:
        return []
    body = describe_body(entry.answer)
    place = f"{entry.vendor} {entry.method} {route_of(entry.path)} {entry.status} {body}"
    return [(place, claim) for claim in entry.claims or ["no claim"]]


def test_responses_cite_every_claim_and_no_unknown_claim():
    """`golden/answers.txt` has the keys and the claims of each answer; UPDATE=1 writes it."""
    cited = set()
    facts = set()
    for scenario in SCENARIOS:
        answers, entries = scenario.play()
        for answer in answers:
            cited.update(answer.claims)
        for entry in entries:
            facts.update(facts_of(entry))
    text = by_place(facts)
    assert facts_in(text) ^ facts_in(kept(KEPT, text)) == set(), "UPDATE=1 writes answers.txt"
    for vendor in map(vendor_named, vendor_names()):
        if vendor.samples is not None:
            cited |= claims_in(document_of(vendor))
    assert cited == {claim.id for claim in all_claims()}


def test_each_claim_has_an_id_of_its_own_that_begins_with_its_vendor_and_key():
    ids = [claim.id for claim in all_claims()]
    assert len(set(ids)) == len(ids)
    for claim in all_claims():
        assert claim.id.startswith(f"{claim.vendor}.{claim.key}")


def test_each_claim_names_its_document_and_the_day_on_which_it_was_read():
    for claim in all_claims():
        origin = claim.origin
        assert dt.date(2026, 1, 1) < dt.date.fromisoformat(origin.read), claim.id
        assert len(re.findall("[a-z]{2,}", origin.document)) >= 2, claim.id
        assert claim.statement.endswith("."), claim.id


@pytest.mark.parametrize("vendor", vendor_names())
def test_no_switch_activates_two_claims_with_the_same_key(vendor):
    """A second claim on a behaviour is refused where a vendor's world is made."""
    for switch, values in vendor_named(vendor).switches.items():
        for value in values:
            assert didit.new_engine(vendor=vendor, switches={switch: value}).world.claims.claims


def test_two_active_claims_with_the_same_key_are_refused():
    claim = all_claims()[0]
    with pytest.raises(ValueError, match="two active claims have the key"):
        ActiveClaims([claim, claim], {})
