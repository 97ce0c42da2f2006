"""Sumsub: requests to its mock, signed as in its examples, steps about an applicant; simulator."""

import base64
import copy
import datetime as dt
import functools
import hashlib
import hmac
import json
import operator

from kit import mock_webhooks
from kit.mock_world import (
    P1,
    P2,
    START,
    control_of,
    control_request,
    json_bytes,
    json_request,
    multipart,
    request_to,
    scene,
)
from kit.scenario import Scenario, advance, limit
from kit.session_words import NO_ENVIRONMENT, a_day_earlier, all_of, at, free_refusals, words_at

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.testing import SessionCase, SessionWord, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator
from facematch_mock_server.vendors.sumsub.vendor import (
    LIVE_SECRET_KEY,
    LIVE_TOKEN,
    SANDBOX_SECRET_KEY,
    SANDBOX_TOKEN,
)

SANDBOX = {"token": SANDBOX_TOKEN, "key": SANDBOX_SECRET_KEY}
LINK = "/resources/sdkIntegrations/levels/-/websdkLink"


def signed(
    method, target, body=None, *, token=LIVE_TOKEN, key=LIVE_SECRET_KEY, at=START, **headers
):
    """A signed request. Further headers replace those of the signature; None leaves one out."""
    data = json_bytes(body)
    timestamp = str(int(at.timestamp()))
    message = (timestamp + method + target).encode() + data
    signature = hmac.new(key.encode(), message, hashlib.sha256).hexdigest()
    sent = {"x_app_token": token, "x_app_access_ts": timestamp, "x_app_access_sig": signature}
    sent |= {"host": "api.sumsub.com", **headers}
    sent = {name: value for name, value in sent.items() if value is not None}
    return json_request(target, body, method=method, key=None, **sent)


def create(external_id="a-person", level="basic", **how):
    body = {"externalUserId": external_id, "type": "individual"}
    return signed("POST", f"/resources/applicants?levelName={level}", body, **how)


def link(external_id="a-person", level="basic", *, query="", how=None, **fields):
    body = {"levelName": level, "userId": external_id, **fields}
    return signed("POST", f"{LINK}{query}", body, **(how or {}))


def token(external_id="a-person", level="basic", *, slash="", how=None, **fields):
    body = {"levelName": level, "userId": external_id, **fields}
    return signed("POST", f"/resources/accessTokens/sdk{slash}", body, **(how or {}))


def token_by_query(query="userId=a-person&levelName=basic", *, slash="", **how):
    return signed("POST", f"/resources/accessTokens{slash}?{query}", **how)


def frame(access_token):
    """The web SDK's request for the page in its frame."""
    frame_id = base64.b64encode(access_token.encode()).decode()
    return json_request(f"/websdk/websdk.html?_=id_{frame_id}", method="GET", key=None)


def open_older_frame():
    return json_request("/idensic/websdk.html?_=id_17", method="GET", key=None)


def frame_of_new_token(**how):
    """A step: the frame of an access token that was just made."""

    def step(engine):
        made = engine.handle(token(how=how)).json()
        return engine.handle(frame(made["token"]))

    return step


def link_of_level(query="externalUserId=a-person", level="basic", body=None, **how):
    return signed(
        "POST", f"/resources/sdkIntegrations/levels/{level}/websdkLink?{query}", body, **how
    )


def adding(
    number,
    picture,
    kind="PASSPORT",
    *,
    more=None,
    metadata=None,
    signature=None,
    has_content=False,
    filename="a.png",
    token=LIVE_TOKEN,
    key=LIVE_SECRET_KEY,
    **headers,
):
    """A step: a picture is sent for the applicant with this number."""

    def step(engine):
        document = {"idDocType": kind, "country": "GBR", **(more or {})}
        fields = [("metadata", json.dumps(document) if metadata is None else metadata)]
        files = [("content", filename, picture)] if picture or has_content else []
        if filename is None:
            fields, files = [*fields, ("content", picture)], []
        data, content_type = multipart(fields, files)
        target = f"/resources/applicants/{nth(engine, number).id}/info/idDoc"
        timestamp = str(int(engine.world.clock.now().timestamp()))
        message = (timestamp + "POST" + target).encode() + data
        signed_by = hmac.new(key.encode(), message, hashlib.sha256).hexdigest()
        sent = {"x_app_token": token, "x_app_access_ts": timestamp}
        sent |= {"x_app_access_sig": signature or signed_by, **headers}
        request = request_to(target, data, content_type, key=None, **sent)
        return engine.handle(request)

    return step


def checking(number, **how):
    """A step: a check of the pictures that were sent is requested."""
    return applicant(number, "POST", "status/pending", **how)


def applicant(number, method, what, body=None, **how):
    """A step: a request about the applicant with this number."""

    def step(engine):
        target = f"/resources/applicants/{nth(engine, number).id}/{what}"
        at = engine.world.clock.now()
        return engine.handle(signed(method, target, body, at=at, **how))

    return step


def read(number, **how):
    return applicant(number, "GET", "one", **how)


def steps_of(number, **how):
    return applicant(number, "GET", "requiredIdDocsStatus", **how)


def complete_test(number, answer="GREEN", **fields):
    body = {"reviewAnswer": answer, "rejectLabels": [], **fields}
    return applicant(number, "POST", "status/testCompleted", body, **SANDBOX)


def checked(number, card=None, document=None):
    """A step: the person with this card passes the page, and the steps are read."""

    def step(engine):
        pictures = {"card": card or scene(), "document": document or scene()}
        control_of(engine).sessions.finish(nth(engine, number).id, **pictures)
        return steps_of(number)(engine)

    return step


def decided(number, status):
    """A step: a reviewer sets a status, and it is read."""

    def step(engine):
        control_of(engine).sessions.decide(nth(engine, number).id, status)
        return applicant(number, "GET", "status")(engine)

    return step


def nth(engine, number):
    (session,) = (each for each in engine.world.sessions.all() if each.number == number)
    return session


#: When the mock's clock stands in the scenario of Sumsub, once it has advanced.
LATER = START + dt.timedelta(seconds=301)


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        mock_webhooks.listen(events=["applicantCreated", "applicantPending", "applicantReviewed"]),
        create(),
        create(),
        create(level=""),
        signed("POST", "/resources/applicants?levelName=basic", b"["),
        link(redirect={"successUrl": "https://shop.example/done"}, query="?lang=es"),
        link(ttlInSecs=0),
        link("another-person"),
        read(1),
        steps_of(1),
        checked(1),
        decided(1, "completed RED FINAL"),
        decided(1, "awaitingService"),
        decided(1, "completed GREEN"),
        mock_webhooks.carried(302),
        decided(1, "completed GREEN"),
        mock_webhooks.carried(400),
        decided(1, "completed GREEN"),
        mock_webhooks.carried(404),
        decided(1, "completed GREEN"),
        mock_webhooks.carried(500),
        decided(1, "completed GREEN"),
        mock_webhooks.carried("timeout"),
        advance(301),
        mock_webhooks.carried(),
        signed("GET", "/resources/applicants/-;externalUserId=a-person/one", at=LATER),
        signed("GET", f"/resources/applicants/{'0' * 24}/one", at=LATER),
        signed("GET", "/resources/applicants/000/one", at=LATER),
        signed("GET", "/resources/inspections/1", at=LATER),
        token(slash="/", how={"at": LATER}),
        frame_of_new_token(at=LATER),
        open_older_frame(),
        token_by_query(at=LATER),
        token_by_query("userId=a-person", at=LATER),
        link_of_level(at=LATER),
        signed("GET", "/resources/applicants/-;externalUserId=a-person", at=LATER),
        signed("POST", "/resources/applicants", {"externalUserId": "no-level"}, at=LATER),
        checking(3),
        adding(3, P1, x_return_doc_warnings="true"),
        adding(3, P1),
        adding(3, b"0" * 64_000_001),
        adding(3, b"", has_content=True),
        adding(3, P2, filename=""),
        adding(3, b"not a picture"),
        adding(3, b"II*\x00 a TIFF"),
        adding(3, P1),
        checking(3),
        decided(3, "pending"),
        adding(3, P1),
        decided(3, "completed RED FINAL"),
        adding(3, P1),
        decided(3, "pending"),
        checking(3),
        signed("GET", "/resources/applicants", at=LATER),
        applicant(1, "POST", "status/testCompleted", {}),
        applicant(1, "PATCH", "presence/deactivated"),
        applicant(1, "PATCH", "presence/deactivated"),
        applicant(1, "PATCH", "presence/activated"),
        decided(2, "pending"),
        applicant(2, "PATCH", "presence/deactivated"),
        decided(2, "completed GREEN"),
        applicant(2, "PATCH", "presence/deactivated"),
        adding(2, P1),
        link("a-tester", how={"at": LATER, **SANDBOX}),
        checked(4),
        complete_test(4, "RED", reviewRejectType="RETRY", clientComment="Blurred."),
        complete_test(4, "BLUE"),
        steps_of(4, **SANDBOX),
        create(x_app_token=None),
        create(token="app-token"),
        create(x_app_access_ts="soon"),
        create(at=START - dt.timedelta(seconds=61)),
        create(token="prd:another-token", at=LATER),
        create(key="another-key", at=LATER),
        control_request("keys", {"key": "old-key", "client": "prd:old", "expires": "2026-07-01"}),
        create(token="prd:old", key="old-key", at=LATER),
        control_request("keys", {"key": "weak-key", "client": "prd:weak", "allowed": False}),
        create(token="prd:weak", key="weak-key", at=LATER),
        control_request("sessions/levels", {"name": "basic"}),
        create("third-person", level="Basic", at=LATER),
        limit("sandbox", 0),
        create("fourth-person", at=LATER, **SANDBOX),
        limit("post", 0),
        create("fifth-person", at=LATER),
        limit("get", 0),
        read(1),
    )
    created = (
        mock_webhooks.listen(events=["applicantCreated"]),
        create(),
        mock_webhooks.carried(),
    )
    return [
        Scenario("sumsub", calls),
        Scenario("sumsub", created, {"digest": "sha512"}),
        Scenario("sumsub", created, {"digest": "sha1"}),
        Scenario("sumsub", (create(), decided(1, "completed RED")), {"review_comments": "none"}),
    ]


# The simulator of Sumsub: the mock server, and answers that no document has.

STATUSES = "docs.sumsub.com, /docs/applicant-statuses, read on 2026-11-28"
STEPS = "docs.sumsub.com, Get verification steps, read on 2026-11-28"
LABELS = "docs.sumsub.com, rejection labels, read on 2026-11-28"
PRESENCE = "docs.sumsub.com, Deactivate applicant profile, read on 2026-11-28"
LEVELS = "SUMSUB/agent-skills 070922a, level-schema.md, read on 2026-11-28"
WEBHOOK_SECRET = "sumsub-simulator-webhook-e41d"

#: The two answers of a read: the applicant, and its steps.
APPLICANT, STEPS_OF_IT = "applicant", "steps"
RESULT = at("applicant.review.reviewResult")
SELFIE = at("steps.SELFIE.reviewResult")
METHOD = at("applicant.requiredIdDocs.docSets.1.videoRequired")


def rejected(label):
    return {"reviewAnswer": "RED", "rejectLabels": [label], "reviewRejectType": "RETRY"}


def selfie_step(result, *pictures):
    """Return a selfie step with its result, and those of its pictures."""
    results = {str(number): picture for number, picture in enumerate(pictures, start=1001)}
    return {
        "idDocType": "SELFIE",
        "imageIds": [int(number) for number in results],
        "imageReviewResults": results,
        "reviewResult": result,
    }


def refusal(status, error_code=None, description="No."):
    body = {"description": description, "code": status, "correlationId": "c-1"}
    return body if error_code is None else {**body, "errorCode": error_code}


REFUSALS = all_of(
    free_refusals(fm.AuthenticationFailed, 401, [refusal(401, code) for code in range(4000, 4008)]),
    free_refusals(fm.PermissionDenied, 403, [refusal(403)]),
    free_refusals(
        fm.RequestRejected,
        400,
        [
            refusal(400, description="Invalid id '000'"),
            refusal(400, 1001),
            refusal(400, 1005),
            refusal(400, 1011),
        ],
    ),
    free_refusals(fm.RateLimited, 429, [refusal(429)]),
)


#: What a label of one picture of the selfie means.
PICTURE_LABELS = {
    "BAD_FACE_MATCHING": Decision.NO_MATCH,
    "FRAUDULENT_LIVENESS": LivenessDecision.NOT_LIVE,
    "BAD_SELFIE": LivenessDecision.INCONCLUSIVE,
}


#: What a label of the selfie's step means.
STEP_LABELS = [
    ("BAD_FACE_MATCHING", LivenessDecision.INCONCLUSIVE),
    ("FRAUDULENT_LIVENESS", Decision.INCONCLUSIVE),
    ("FORGERY", LivenessDecision.REVIEW),
    ("BAD_FACE_MATCHING", Decision.NO_MATCH),
    ("SELFIE_MISMATCH", Decision.NO_MATCH),
    ("FRAUDULENT_LIVENESS", LivenessDecision.NOT_LIVE),
    ("BAD_SELFIE", Decision.INCONCLUSIVE),
    ("BAD_VIDEO_SELFIE", Decision.INCONCLUSIVE),
    ("FORGERY", Decision.REVIEW),
]


def make_older(applicant):
    applicant["createdAt"] = a_day_earlier(applicant["createdAt"]).replace("T", " ")


def begin_again(steps):
    steps["SELFIE2"] = {"idDocType": "SELFIE", "imageIds": [1002], "imageReviewResults": {}}


class SumsubSessions(MockSessionsWithWebhooks):
    webhook_secret = WEBHOOK_SECRET
    decisive_fields = {
        "requiredIdDocs.docSets.idDocSetType": "names the step whose method stands beside it",
    }
    signature_header = "x-payload-digest"
    id_name = "id"
    hands_over = ("link", "token")
    hands_over_again = ("link", "token")
    documented_capabilities = dict.fromkeys(
        (
            "reads_document",
            "start_is_repeatable",
            "finds_by_record",
            "takes_language",
            "takes_return_url",
        ),
        True,
    )
    compared_with = (None, ComparedWith.DOCUMENT)
    document = "p1"
    cannot_happen = {
        SessionCase.SANDBOX: NO_ENVIRONMENT,
        SessionCase.UNKNOWN_ENVIRONMENT: NO_ENVIRONMENT,
    }
    #: Functions that edit one of the two answers of a read.
    changes = {
        SessionCase.NO_FACE_ITEM: (STEPS_OF_IT, lambda steps: steps.update(SELFIE=None)),
        SessionCase.OTHER_PICTURE: (STEPS_OF_IT, lambda steps: steps.update(IDENTITY=None)),
        SessionCase.UNFINISHED: (STEPS_OF_IT, begin_again),
        SessionCase.FOREIGN: (APPLICANT, lambda applicant: applicant.update(id="0" * 24)),
        SessionCase.OLDER: (APPLICANT, make_older),
    }
    start_refusals = all_of(REFUSALS, free_refusals(fm.RequestRejected, 404, [refusal(404)]))
    #: A start takes 409 for an applicant that it has created before.
    read_refusals = all_of(
        REFUSALS,
        free_refusals(fm.errors.SessionNotFound, 404, [refusal(404, None, "Applicant not found")]),
        free_refusals(fm.RequestRejected, 409, [refusal(409, 1008), refusal(409, 3000)]),
        free_refusals(fm.RateLimited, 409, [refusal(409)], {"Retry-After": "10"}),
    )
    words = all_of(
        words_at(
            at("applicant.review.reviewStatus"),
            STATUSES,
            {
                SessionState.DECIDED: "completed",
                SessionState.PROCESSING: "pending, prechecked, queued, onHold, awaitingService",
                SessionState.PENDING: "init, awaitingUser",
            },
            yes="completed",
            asked_back=("awaitingUser",),
        ),
        words_at(
            at("applicant.review.reviewResult.reviewAnswer"),
            STATUSES,
            {SessionState.DECIDED: "GREEN, RED"},
            yes="GREEN",
        ),
        [
            SessionWord(
                RESULT,
                {"reviewAnswer": "RED", "reviewRejectType": "FINAL"},
                SessionState.DECIDED,
                STATUSES,
            ),
            SessionWord(
                RESULT,
                {"reviewAnswer": "RED", "reviewRejectType": "RETRY"},
                SessionState.PENDING,
                STATUSES,
                is_asked_back=True,
            ),
            SessionWord(
                RESULT,
                {"reviewAnswer": "RED", "reviewRejectType": "LATER"},
                SessionState.UNKNOWN,
                STATUSES,
            ),
        ],
        words_at(
            at("steps.SELFIE.reviewResult.reviewAnswer"),
            STEPS,
            {Decision.MATCH: "GREEN"},
            yes="GREEN",
        ),
        # The answers of an applicant that is RED without a reason, and of one that is deactivated.
        [
            SessionWord(RESULT, {"reviewAnswer": "RED"}, SessionState.DECIDED, STATUSES),
            SessionWord(RESULT, {}, SessionState.UNKNOWN, STATUSES),
            SessionWord((APPLICANT, "deleted"), True, SessionState.GONE, PRESENCE),
            # Sent, and not checked yet.
            SessionWord(SELFIE, None, Decision.INCONCLUSIVE, STEPS),
            SessionWord(SELFIE, None, LivenessDecision.INCONCLUSIVE, STEPS),
        ],
        # The labels stand at a picture alone.
        [
            SessionWord(
                (STEPS_OF_IT, "SELFIE"),
                selfie_step({"reviewAnswer": "RED"}, rejected("OTHER"), rejected(label)),
                means,
                STEPS,
            )
            for label, means in PICTURE_LABELS.items()
        ],
        [SessionWord(SELFIE, rejected(label), means, LABELS) for label, means in STEP_LABELS],
        [
            SessionWord(METHOD, word, LivenessDecision.LIVE, LEVELS, is_yes=True)
            for word in ("passiveLiveness", "staticLiveness", "liveness")
        ],
        words_at(
            METHOD,
            LEVELS,
            {
                LivenessDecision.INCONCLUSIVE: "photoRequired, disabled",
                # A video in which the person reads digits: no source says that it is a check.
                LivenessDecision.REVIEW: "enabled",
            },
        ),
    )

    def prepare(self, compared_with):
        self.control.sessions.level(SumsubSimulator.keys["level_name"])

    def alter(self, response):
        return response  # see `change_answer`: only the path tells whose steps an answer has

    def change_answer(self, path, body):
        """Return an answer of a read as the applicant's case requires."""
        *_, applicant, what = path.split("/")
        kind = {"one": APPLICANT, "requiredIdDocsStatus": STEPS_OF_IT}.get(what)
        if kind is None:
            return body
        session_id = body["id"] if kind == APPLICANT else applicant
        body = copy.deepcopy(body)
        if session_id in self._words:
            (place, *path_to_it, last), word = self._words[session_id]
            if place == kind:
                functools.reduce(operator.getitem, path_to_it, body)[last] = word
            return body
        changed_kind, change = self.changes.get(self._cases.get(session_id), (None, None))
        if changed_kind == kind:
            change(body)
        return body

    def received(self, session_id):
        received = super().received(session_id)
        session = self.session(session_id)
        urls = *received["return_urls"], session.metadata["reject_url"]
        return {**received, "return_urls": urls}

    def webhooks(self, session_id):
        body, _ = self.deliver(session_id)
        document = json.loads(body)
        test = {**document, "testMode": True}
        # Another program's applicant.
        foreign = {**document, "externalUserId": "customer-17"}
        action = {**document, "type": "applicantActionReviewed", "applicantActionId": "0" * 24}
        algorithm = {"x-payload-digest-alg": "HMAC_SHA256_HEX"}
        return (
            self.sign(test, names_session=False, **algorithm),
            self.sign(foreign, **algorithm),
            self.sign(action, **algorithm),
        )


class SumsubSimulator(MockSimulator):
    vendor = "sumsub"
    calls = frozenset()
    session_paths = ("/resources/applicants", "/resources/sdkIntegrations")
    session_class = SumsubSessions
    client = "prd:sumsub-simulator-token-5b83"
    keys = {
        "app_token": client,
        "secret_key": "sumsub-simulator-key-2f90c7",
        "level_name": "Basic KYC level",
        "webhook_secrets": WEBHOOK_SECRET,
    }
    secrets = (keys["secret_key"], client, keys["webhook_secrets"])
    sandbox_settings = {"app_token": "sbx:simulator", "base_url": "https://api.sumsub.com"}
    scope = "post"
    faults = {Situation.OUTAGE: Fault(stage="answer", kind="status", status=500)}
    cannot_happen = {Situation.NO_CREDIT: "Sumsub documents no error about credit."}

    def alter(self, request, body):
        path, _, _ = request.path.partition("?")
        return self.sessions.change_answer(path, body)
