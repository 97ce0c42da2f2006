import itertools
import json
import pkgutil
import re
import signal
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from kit.parity import CARDS, PICTURES, change, divert

from facematch_core import Image, Operation
from facematch_core.backend import SessionCapabilities as Sessions
from facematch_core.http import FilePart, HttpReply, HttpRequest
from facematch_core.testing import find_leaks, picture_samples
from facematch_mock_server import Fault
from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import Reply
from facematch_mock_server.parity.aspects import reduce_reply
from facematch_mock_server.parity.calls import (
    VENDORS,
    VendorCalls,
    deletion_steps_of,
    steps_of,
)
from facematch_mock_server.parity.differences import Comparison, compare
from facematch_mock_server.parity.mock_calls import choose_score
from facematch_mock_server.parity.recorded import (
    UNFINISHED,
    CallPair,
    RecordedCall,
    RecordedReply,
)
from facematch_mock_server.parity.recording import Recorder
from facematch_mock_server.parity.running import explain_unseen
from facematch_mock_server.recognition.cards import card_sheet
from facematch_mock_server.recognition.sheet import make_card
from facematch_mock_server.vendors import vendor_named, vendor_names

ROOT = Path(__file__).parents[3]
SENT = "Wed, 25 Nov 2026 10:00:00 GMT"
SESSIONS = Sessions(checks=frozenset({Operation.LIVENESS}), can_delete=True)
SLOW = pytest.mark.slow
#: Vendors of hosted sessions alone, and those with an entry that take pictures.
HOSTED = ("onfido", "persona", "sumsub", "veriff")
WITH_PICTURES = [name for name in VENDORS if name not in HOSTED]

#: The pictures of a form.
FILES = tuple(
    FilePart(name=name, filename="1.jpg", content_type="image/jpeg", data=b"1")
    for name in ("reference", "probe")
)


#: Steps that a vendor need not refuse; each other is refused at every vendor.
ANSWERED = {"same", "below-score", "at-score", "above-score", "other", "largest", "other-kind"}
ANSWERED |= {"no-face-probe", "no-face-reference", "no-picture", "kept"}
ANSWERED |= {"live", "live-no-face", "live-no-picture", "live-at-score", "live-above-score"}
ANSWERED |= {"session", "session-again", "session-read", "session-delete", "session-delete-again"}


def _assert_calls_are_made_as_described(name, document):
    """Both sides are called alike, so no difference shows a step that breaks nothing."""
    made = {
        call_name: call
        for call_name, call in document["calls"].items()
        if call.get("state") != "not made"
    }
    assert set(made) - ANSWERED
    for call_name, call in made.items():
        assert call.get("requests", 1) == len(call["answers"])
        if call_name not in ANSWERED:
            # Amazon's status 400 may mean that there is no face, which is no error. Persona still
            # answers for a deleted session.
            is_refused = "error" in call or call["answers"][-1]["status"] == 400
            assert is_refused or call["state"] == "gone"
    # The limit by which a run keeps within its budget.
    charges = VENDORS.get(name, VendorCalls()).charges
    assert max(call.get("charges") or 0 for call in made.values()) == charges


def _assert_decisions_are_those_of_the_described_pictures(name, document):
    calls = document["calls"]
    positive = {call for call, seen in calls.items() if seen.get("decision") in ("match", "live")}
    expected = {"same", "below-score", "largest", "live"} & set(calls)
    if name == "regula":
        expected.add("other-kind")  # it takes GIF
    # At the score, a vendor decides as it likes.
    assert positive - {"at-score", "live-at-score"} == expected
    for call in {"no-face-probe", "no-face-reference", "no-picture", "live-no-face"} & set(calls):
        assert "error" in calls[call] or calls[call]["warnings"] == ["no_face"]
    for call, offset in {"below": -1, "at": 0, "above": 1, "live-at": 0, "live-above": 1}.items():
        if f"{call}-score" in calls:
            scored = calls["live" if call.startswith("live") else "same"]
            assert calls[f"{call}-score"]["threshold"] == scored["score"] + offset


def _slow_but(names, *quick):
    """Names as parameters, all slow but the quick ones."""
    return [name if name in quick else pytest.param(name, marks=SLOW) for name in names]


def _reply(body, status=200, **headers):
    return HttpReply(
        status=status,
        headers={"Content-Type": "application/json", "Date": SENT, **headers},
        body=json.dumps(body).encode(),
        url="https://api.acme.example/verify",
    )


def _call(reply):
    """A call as `Recorder.make` gives it, with this answer."""
    aspects = reduce_reply(reply, (), ("age", "gender"), ())
    return RecordedCall(replies=[RecordedReply("answer", aspects, ("acme.answer",))])


def _differences(mock, vendor):
    """Return the differences between the calls of a mock and of a vendor, by name."""
    pairs = []
    for name, call in mock.items():
        pairs.append(CallPair(name=name, vendor_call=vendor[name], mock_call=call))
    return compare(pairs)


def test_each_vendor_that_compares_has_calls_of_its_own():
    matching = {name for name in vendor_names() if "match" in vendor_named(name).operations}
    assert set(WITH_PICTURES) == matching


def test_the_claim_of_the_largest_file_is_a_size():
    unlimited = set()
    for name, vendor in VENDORS.items():
        if not vendor.size_limit:
            unlimited.add(name)
        else:
            assert vendor_named(name).choose({})[vendor.size_limit] > 1_000_000
    assert unlimited == {"deepface", "deepvue", "facepp", "regula", "sumsub", "veriff"}


def test_outcome_difference_cites_the_claims_of_the_answer_and_not_of_the_balance():
    replies = [
        RecordedReply("answer", {"status": 200}, ("acme.answer",)),
        RecordedReply("balance", {"status": 200}, ("acme.wallet",)),
    ]
    mock = RecordedCall(decision="match", replies=replies)
    vendor = RecordedCall(decision="no_match", replies=replies)
    (difference,) = _differences({"same": mock}, {"same": vendor})
    assert (difference.aspect, difference.claims) == ("decision", ["acme.answer"])


def test_different_charset_is_reported():
    mock = _call(_reply({}, **{"Content-Type": "text/html; charset=utf-8"}))
    vendor = _call(_reply({}, **{"Content-Type": "text/html; charset=big5"}))
    (difference,) = _differences({"a": mock}, {"a": vendor})
    assert (difference.aspect, difference.mock, difference.vendor) == ("charset", "utf-8", "big5")


UUID = "1d0f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c1{}"
#: A body at the mock, one at the vendor, and the aspect that shows it; None for what shows nothing.
BODIES = [
    ({"a": 1}, {"a": "1"}, "shape a"),
    ({"a": 1}, {"b": 1}, "shape a"),
    ({"a": True}, {"a": False}, "words a"),
    ({"word": "NO_FACE"}, {"word": "FACE_GONE"}, "words word"),
    ({"word": "Anna"}, {"word": "Berta"}, None),
    ({"score": 97.5}, {"score": 0.975}, "side score"),
    ({"score": 61.5}, {"score": 99.25}, None),
    ({"score": {"rank": 1.5}}, {"score": {"rank": 99.25}}, None),
    ({"code": 21}, {"code": 22}, "code code"),
    ({"made_at": "2026-11-25T10:00:01+00:00"}, {"made_at": "2026-11-25T10:00:01+02:00"}, "time made_at"),
    ({"made_at": "2026-11-25T10:00:01Z"}, {"made_at": "2026-11-25T10:00:44Z"}, None),
    ({"made_at": "2026-11-25T10:00:01Z"}, {"made_at": "2026-11-25T10:00:01.25Z"}, "time made_at"),
    ({"made_at": 1795600801}, {"made_at": 1795600801000}, "time made_at"),
    ({"expiry": "86400"}, {"expiry": "3600"}, "life expiry"),
    ({"expiry": "24hrs"}, {"expiry": "12hrs"}, "life expiry"),
    ({"expiry": "soon"}, {"expiry": "later"}, None),
    ({"age": 30.5}, {"age": 3.5}, None),
    ({"age": 30.5}, {"age": "30"}, "shape age"),
    ({"age": 30.5}, {"age": 305}, "years age"),
    ({"gender": "male"}, {"gender": "female"}, None),
    ({"gender": "male"}, {"gender": "M"}, "form gender"),
    ({"gender": "male"}, {"gender": "Female"}, "form gender"),
    ({"gender": "male"}, {"gender": "Berta"}, "form gender"),
    ({"gender": "Male"}, {"gender": "Female"}, None),
    ({"gender": "MALE"}, {"gender": "FEMALE"}, None),
    ({"gender": "MALE"}, {"gender": "male"}, "form gender"),
    ({"Gender": {"Value": "Male"}}, {"Gender": {"Value": "MALE"}}, "form Gender.Value"),
    ({"page_url": "https://api.acme.example/1"}, {"page_url": "https://other.example/2"}, "host page_url"),
    ({"faces": [{"x": 1}]}, {"faces": []}, None),
    ({"faces": [{"x": 1}]}, {"faces": [{"y": 1}]}, "shape faces[].x"),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
    ({"request_id": UUID.format(0)}, {"request_id": UUID.format(1)}, None),
    ({"request_id": UUID.format(0)}, {"request_id": "tx-anna-7"}, "form request_id"),
    ({"session_number": 1}, {"session_number": 4711}, None),
    ({"image": "aGFsbG8="}, {"image": "d2VsdA=="}, None),
    ({"image": ["Must be valid."]}, {"image": ["NOT_VALID at all"]}, "words image[]"),
]  # fmt: skip


@pytest.mark.parametrize(("mock", "vendor", "aspect"), BODIES)
def test_body_difference_is_reported_with_its_kind_and_path(mock, vendor, aspect):
    found = _differences({"same": _call(_reply(mock))}, {"same": _call(_reply(vendor))})
    aspects = {difference.aspect for difference in found}
    assert aspect in aspects if aspect else aspects == set()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(200, "200"), ([200, 201], "200 or 201"), (None, "nothing"), ([], "nothing")],
)
def test_a_difference_shows_what_each_side_answered(value, shown):
    answered = Comparison(calls=["same"], aspect="status", mock=value, vendor="410", claims=())
    assert str(answered).endswith(f"status {shown} -> 410")


def test_calls_with_the_same_difference_are_one_and_others_are_told_apart():
    statuses = {"same": (200, 410), "other": (200, 410), "largest": (201, 410), "live": (200, 411)}
    found = _differences(
        {name: _call(_reply({}, mock)) for name, (mock, _) in statuses.items()},
        {name: _call(_reply({}, vendor)) for name, (_, vendor) in statuses.items()},
    )
    shown = [each for each in found if each.aspect == "status"]
    assert [(each.calls, each.mock, each.vendor) for each in shown] == [
        (["same", "other"], 200, 410),
        (["largest"], 201, 410),
        (["live"], 200, 411),
    ]


@pytest.mark.parametrize(
    ("life", "text"),
    [
        ({"expires_in": 89}, "now"),
        ({"expires_in": 90}, "2 min"),
        ({"expires_in": 99 * 60}, "99 min"),
        ({"expires_in": 100 * 60}, "1 h"),
        ({"expiry": "24hrs"}, "24 h"),
        ({"expiry": "2026-11-25T11:39:00+00:00"}, "99 min"),
        ({"expiry": "2026-11-25T08:20:00+00:00"}, "1 h before"),
    ],
)
def test_lifetimes_are_shown_in_minutes_or_hours(life, text):
    (path,) = life
    assert reduce_reply(_reply(life), (), (), ())[f"life {path}"] == [text]


@pytest.mark.parametrize(
    ("mock", "vendor", "vendors_decimals"),
    [
        pytest.param([97.5, 12.25], [97, 12.25], None, id="as many in the other call"),
        pytest.param([97.5, 12.25], [97, 12], "whole", id="none in any call"),
        pytest.param([0.91234, 0.5], [0.9123, 0.5], None, id="one less"),
        pytest.param([0.91234, 0.5], [0.91, 0.5], "2 decimals", id="three less"),
        pytest.param([1 / 3, 0.5], [0.3333, 0.5], "4 decimals", id="more than are told"),
    ],
)
def test_maximum_decimal_places_of_a_run_may_differ_by_one(mock, vendor, vendors_decimals):
    mock_calls = {f"call {size}": _call(_reply({"size": size})) for size in mock}
    vendor_calls = dict(zip(mock_calls, [_call(_reply({"size": x})) for x in vendor], strict=True))
    found = _differences(mock_calls, vendor_calls)
    decimals = [difference.vendor for difference in found if difference.aspect == "digits size"]
    assert decimals == ([] if vendors_decimals is None else [vendors_decimals])


@pytest.mark.parametrize(
    ("step", "decision", "score", "expected"),
    [
        ("same", "match", 97.5, 97.50123),
        ("at-score", "match", 97.5, 97.5),
        ("same", "match", 50.0, 50),
        ("same", "no_match", 0.975, 95),
        ("same", "match", None, 95.00123),
        ("other", "no_match", 0.4, pytest.approx(0.40123)),
    ],
)
def test_mock_uses_the_vendors_score_unless_its_scale_differs(step, decision, score, expected):
    steps = steps_of(VENDORS["didit"], frozenset({Operation.MATCH}), None)
    step = next(each for each in steps if each.name == step)
    call = RecordedCall(decision=decision, score=score)
    assert choose_score(step, call, call) == expected


@pytest.mark.parametrize(
    ("pictures", "left"),
    [
        ({"body": b"probe"}, {"body": b""}),
        ({"json": ["reference", "probe"]}, {"json": ["reference"]}),
        ({"json": {"SourceImage": 1, "TargetImage": 2}}, {"json": {"SourceImage": 1}}),
        ({"json": {"ImageA": 1, "ImageB": 2}}, {"json": {"ImageA": 1}}),
        ({"json": {"img": 1}}, {"json": None}),
        ({"json": {"images": [1, 2]}}, {"json": {"images": [1]}}),
        ({"files": FILES}, {"files": FILES[:1]}),
    ],
    ids="-".join,
)
def test_missing_picture_is_left_out_of_a_request_of_any_form(pictures, left):
    steps = steps_of(VENDORS["didit"], frozenset({Operation.MATCH}), None)
    (step,) = (each for each in steps if each.name == "missing")
    request = HttpRequest(url="https://api.acme.example/verify", **pictures)
    assert step.before_signing(request) == attrs.evolve(request, **left)


def test_every_call_without_a_response_has_a_reason():
    steps = steps_of(VENDORS["didit"], frozenset(Operation), SESSIONS)
    steps += deletion_steps_of(SESSIONS)
    calls = {step.name: RecordedCall(score=0.5) for step in steps}
    calls["other"] = RecordedCall(lost="429")
    calls["largest"] = RecordedCall(lost=UNFINISHED)
    calls["session"] = RecordedCall(lost="503")
    for name in ("below-score", "session-read", "no-key"):
        del calls[name]
    unseen = explain_unseen(steps, calls)
    assert unseen.keys() == {"other", "largest", "session", "below-score", "session-read", "no-key"}
    assert (unseen["other"], unseen["session"]) == ("429", "503")
    assert all(unseen.values())


@pytest.mark.parametrize("name", _slow_but(WITH_PICTURES, "didit"))
def test_vendor_identical_to_its_mock_has_no_differences(rehearse, name):
    vendor = rehearse(name)
    document = vendor.run("--yes", code=0).document
    assert (document["differences"], document["nothing_seen"]) == ([], {})
    # A server without keys has fewer ways to refuse.
    assert len(document["claims"]) >= (7 if name == "regula" else 11)
    assert document["rehearsal"]
    _assert_calls_are_made_as_described(name, document)
    _assert_decisions_are_those_of_the_described_pictures(name, document)
    assert len(vendor.control.charges()) <= document["charges"]
    # How long ago a session was made says how fast the vendor is, and no more.
    shown = {call: str(seen["answers"]) for call, seen in document["calls"].items()}
    lasting = {call for call, answers in shown.items() if "'life " in answers}
    # DeepFace's `time` is the duration of the comparison.
    assert bool(lasting) is (name in ("didit", "deepvue", "baidu", "deepface"))
    assert not [call for call in lasting if call.startswith("session")]


@pytest.mark.parametrize("name", _slow_but(HOSTED, "onfido"))
def test_vendor_of_hosted_sessions_alone_is_compared_by_its_sessions(rehearse, name):
    vendor = rehearse(name)
    ended = vendor.run("--yes", code=0)
    assert (ended.document["differences"], ended.document["nothing_seen"]) == ([], {})
    assert {"session-wrong-key", "session", "session-read"} <= set(ended.document["calls"])
    signs_requests = name in ("sumsub", "veriff")
    assert ("session-wrong-signature" in ended.document["calls"]) is signs_requests
    assert all(name.startswith("session") for name in ended.document["calls"])
    _assert_calls_are_made_as_described(name, ended.document)
    assert "No picture is sent." in ended.answer.stdout
    assert f"{len(ended.document['calls'])} calls" in ended.answer.stderr
    # Sumsub has no call that deletes.
    assert bool(vendor.control.sessions.open()) is (name == "sumsub")


def test_unknown_session_is_read_by_an_id_of_the_vendors_form(rehearse):
    vendor = rehearse("persona")
    targets = []

    def note(request, carry_out):
        targets.append(request.target)
        return carry_out(request)

    divert(vendor, note)
    vendor.run("--yes", code=0)
    ids = set(re.findall(r"/inquiries/([^/?\s]+)", " ".join(targets)))
    # Of the session, and of none.
    assert len(ids) == 2
    assert len({len(text) for text in ids}) == 1
    for text in ids:
        assert re.fullmatch("inq_[0-9A-Za-z]+", text)


def _body(part, change):
    """Change the JSON of answers to paths with `part` in them."""

    def alter(request, response):
        if part not in request.target or not response.body.startswith((b"{", b"[")):
            return response
        body = json.loads(response.body)
        change(body)
        return attrs.evolve(response, body=json.dumps(body).encode())

    return alter


def _put(**values):
    return lambda body: body.update({name: values[name] for name in values if name in body})


def _in_each(*path, change):
    """Do it to each thing at a place: a name leads on, and of a list to each of its things."""

    def alter(body):
        for inner in body if isinstance(body, list) else [body]:
            if not path:
                change(inner)
            elif isinstance(inner, dict) and path[0] in inner:
                _in_each(*path[1:], change=change)(inner[path[0]])

    return alter


def _scale(name, by):
    return lambda body: body.update({name: body[name] * by})


def _answer_deletions_with_202(request, response):
    return attrs.evolve(response, status=202) if request.method == "DELETE" else response


def _measure(left, top, right, bottom):
    """A box as corner, width and height."""
    return [left, top, right - left, bottom - top]


def _approve_at_the_threshold(request, response):
    sent = re.search(rb'score_decline_threshold"\r\n\r\n([\d.]+)', bytes(request.body))

    def approve(block):
        if sent and block["score"] == float(sent[1]):
            block.update(status="Approved", warnings=[])

    return _body("/v3/passive-liveness", _in_each("liveness", change=approve))(request, response)


#: What a vendor does otherwise: to its answers, to its claims, and the call and aspect that show it.
CHANGES = {
    "didit": [
        (_body("/v3/", _put(request_id=UUID.format(0))), {}, "all", "id request_id"),
        (_body("/v3/face-match", _in_each("face_match", "user_image", "entities", change=lambda face: face.update(bbox=[side + 5000 for side in face["bbox"]]))), {}, "same", "boxes"),
        (_body("/v3/face-match", _in_each("face_match", "user_image", "entities", change=lambda face: face.update(bbox=_measure(*face["bbox"])))), {}, "other", "boxes"),
        (_approve_at_the_threshold, {}, "live-at-score", "words liveness.status"),
        (None, {"credit.price.match": Decimal("0.07")}, "same", "price"),
        (None, {"auth.words.403": Reply(401, {"detail": "Invalid token."})}, "no-key", "status"),
    ],
    "deepvue": [
        (None, {"auth.token": Reply(401, {"message": "No."})}, "wrong-token", "status"),
    ],
    "azure": [
        (_body("detect", _in_each("faceRectangle", change=_scale("left", 1000))), {}, "same", "boxes"),
        (_answer_deletions_with_202, {}, "session-delete", "status"),
        (None, {"session.unknown": Reply(410, {"error": {"code": "Gone", "message": "No."}})}, "session-unknown", "status"),
    ],
    "rekognition": [
        (_body("", _in_each("FaceMatches", change=_scale("Similarity", 0.01))), {}, "same", "side FaceMatches[].Similarity"),
        (_body("", _put(Status="OPEN")), {}, "session-read", "words Status"),
        (lambda _, response: attrs.evolve(response, headers=(*response.headers, ("x-amzn-RateLimit-Limit", "5"))), {}, "same", "header x-amzn-ratelimit-limit"),
    ],
    "deepface": [
        (None, {"represent.face.none": Reply(200, {"results": []})}, "no-face-probe", "status"),
    ],
    "compreface": [
        (_body("verify", _in_each("result", "face_matches", change=_scale("similarity", 100))), {}, "same", "error"),
        (None, {"key.missing": Reply(401, {"message": "No key", "code": 20})}, "no-key", "status"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", _slow_but(CHANGES, "azure", "compreface"))
def test_vendor_deviation_is_reported_by_call_and_aspect(rehearse, name):
    vendor = rehearse(name)
    for alter, values, *_ in CHANGES[name]:
        change(vendor, values, alter)
    result = vendor.run("--yes", code=1)
    shown = {
        (call, row["aspect"]) for row in result.document["differences"] for call in row["calls"]
    }
    assert {tuple(row[2:]) for row in CHANGES[name]} <= shown
    _assert_calls_are_made_as_described(name, result.document)
    # One line each on the screen.
    lines = result.answer.output.splitlines()
    assert sum(" -> " in line for line in lines) == len(result.document["differences"])


NOT_COMPARABLE = {
    ("deepvue", "none"): "it refuses such a picture in no words of its own, so nobody knows it",
    ("deepface", "score 50"): "near the cut each distance has the confidence 51, unlike the mock's",
}


@SLOW
@pytest.mark.parametrize("pictures", ["photographs", "score 0", "score 50", "several", "none"])
@pytest.mark.parametrize("name", WITH_PICTURES)
def test_content_of_the_pictures_causes_no_difference(rehearse, tmp_path, name, pictures):
    if (name, pictures) in NOT_COMPARABLE:
        pytest.skip(NOT_COMPARABLE[name, pictures])
    vendor = rehearse(name)
    same, two, other = (tmp_path / file for file in CARDS)
    if pictures == "photographs":
        files = ("Family1-Dad1.jpg", "Family1-Dad2.jpg", "Family1-Mom1.jpg")
        for path, file in zip((same, two, other), files, strict=True):
            path.write_bytes((ROOT / "docs" / "photographs" / file).read_bytes())
    elif pictures in ("several", "none"):
        same.write_bytes(card_sheet()["two-faces" if pictures == "several" else "no-face"].data)
    else:
        score = int(pictures.split()[1])
        same.write_bytes(make_card("p1", liveness=score))
        two.write_bytes(make_card("p1", score=score))
        other.write_bytes(make_card("p2", score=score))
    assert vendor.run("--yes").document["differences"] == []


REFUSAL = Response(
    status=403, headers=(("Content-Type", "application/json"),), body=b'{"detail": "No."}'
)


@pytest.mark.parametrize("number", _slow_but((2, 4, 22, 30, 33), 4))
def test_403_at_any_call_still_writes_a_record_and_leaves_no_session(rehearse, number):
    vendor = rehearse("didit")
    numbers = itertools.count(1)

    def strike(request, carry_out):
        is_struck = "balance" not in request.target and next(numbers) == number
        return REFUSAL if is_struck else carry_out(request)

    divert(vendor, strike)
    result = vendor.run("--yes")
    assert result.answer.exit_code in (0, 1, 3, 5)
    assert result.document["kind"] == "facematch-parity"
    assert vendor.control.sessions.open() == ()
    # The first by the right key may say that it is the wrong one.
    assert (result.answer.exit_code == 5) == (number == 2)


WITH_A_KEY = [name for name, vendor in VENDORS.items() if vendor.has_key]


@pytest.mark.parametrize("name", _slow_but(WITH_A_KEY, "compreface"))
def test_wrong_key_ends_the_run(rehearse, tmp_path, name):
    vendor = rehearse(name)
    setting = list(VENDORS[name].keys or {"api_key": ""})[-1]
    file = tmp_path / f"{setting}.txt"
    key = file.read_text()
    file.write_text(key[:-3] + ("abc" if name == "compreface" else "xyz"))
    result = vendor.run("--yes", code=5)
    assert result.document["nothing_seen"]
    assert ", with at most " in result.answer.stderr
    assert f"The record is {vendor.record.name}:" in result.answer.stdout


def test_failed_call_is_named_with_its_status(rehearse):
    vendor = rehearse("didit")
    divert(vendor, lambda sent, carry_out: REFUSAL if "balance" in sent.target else carry_out(sent))
    result = vendor.run("--yes", code=3)
    assert result.document["nothing_seen"] == {"balance": "403"}
    _assert_calls_are_made_as_described("didit", result.document)
    _assert_decisions_are_those_of_the_described_pictures("didit", result.document)
    assert "balance (403)" in result.answer.output


@SLOW
def test_call_stored_despite_save_api_request_false_is_reported(rehearse):
    vendor = rehearse("didit")

    def keep(request, carry_out):
        no = b'name="save_api_request"\r\n\r\n'
        body = request.body.replace(no + b"false", no + b"true")
        return carry_out(attrs.evolve(request, body=body))

    divert(vendor, keep)
    rows = vendor.run("--yes", code=1).document["differences"]
    assert [row["vendor"] for row in rows if row["calls"] == ["kept"]] == ["yes"]


@SLOW
def test_workflow_that_the_vendor_does_not_know_is_not_reported_as_a_difference(rehearse):
    vendor = rehearse("didit")
    vendor.control.reset()
    vendor.control.sessions.workflow(UUID.format(0), kind="kyc")
    document = vendor.run("--yes", code=3).document
    assert document["differences"] == []
    assert document["nothing_seen"].keys() == {
        "session-again",
        "session-read",
        "session-unknown",
        "session-delete",
        "session-delete-again",
        "session-deleted",
    }


@SLOW
def test_vendor_that_accepts_any_workflow_is_rehearsed_without_differences(rehearse):
    vendor = rehearse("didit")
    vendor.control.reset()
    assert vendor.run("--yes", code=0).document["nothing_seen"] == {}


@pytest.mark.parametrize(
    ("given", "code"), [({"input": "n\n"}, 130), ({}, 2)], ids=["no", "nobody"]
)
def test_nothing_is_sent_without_confirmation(rehearse, request, given, code):
    if given:
        request.getfixturevalue("terminal")
    vendor = rehearse("didit")
    answer = vendor.run(**given).answer
    assert answer.exit_code == code
    assert "compared with its mock, switches: none" in answer.output
    assert vendor.control.journal() == ()


def test_a_budget_is_never_exceeded(rehearse):
    vendor = rehearse("didit")
    calls = vendor.run("--yes", "--budget", 3, code=3).document["calls"]
    assert len(vendor.control.charges()) == 3
    charged = {name: call for name, call in calls.items() if call.get("charge")}
    assert {call["price"] for call in charged.values()} == {0.05}
    assert "same" in charged
    assert (calls["wrong-key"]["charge"], "price" in calls["wrong-key"]) == (False, False)


def test_unreachable_vendor_ends_the_run_without_a_record(rehearse):
    vendor = rehearse("azure")
    vendor.server.stop()
    vendor.run("--yes", code=5)
    assert not vendor.record.exists()


@SLOW
def test_lost_response_is_included_in_the_charges(rehearse):
    vendor = rehearse("didit")
    fault = Fault(stage="after_upload", kind="truncate", executed=True, path="/v3/face-match/")
    vendor.control.add_fault(fault)
    first = vendor.run("--yes", code=3).document
    assert first["charges"] >= len(vendor.control.charges())


@pytest.mark.parametrize(
    ("backend", "words"), [("local", "no mock"), ("acme", "acme")], ids=["local", "unknown"]
)
def test_backend_without_a_mock_is_rejected_with_the_reason(run, tmp_path, backend, words):
    (tmp_path / "facematch.toml").write_text(f'[profiles.shop]\nbackend = "{backend}"\n')
    for name in CARDS:
        (tmp_path / name).write_bytes(b"")
    answer = run("parity", "shop", "--config", "facematch.toml", *PICTURES, "--yes")
    assert answer.exit_code == 4
    assert words in answer.output


def test_record_contains_no_picture_key_id_or_file_name(rehearse, tmp_path):
    vendor = rehearse("didit")
    ids = set()
    change(vendor, {}, _body("", lambda body: ids.update({body.get("request_id")} - {None})))
    record = vendor.run("--yes", code=0).record.read_bytes()
    assert len(ids) > 5
    for secret in (*ids, "anna-one", "anna-two", "berta.png", "mock-live-key"):
        assert find_leaks(secret, record) == ()
    for name in CARDS:
        image = Image.read(tmp_path / name)
        for piece in (*picture_samples(image), *picture_samples(image.prepared())):
            assert find_leaks(piece, record) == ()


@pytest.mark.parametrize("name", _slow_but(("azure", "didit"), "azure"))
def test_started_sessions_are_deleted_even_when_the_budget_runs_out(rehearse, name):
    vendor = rehearse(name)
    whole = vendor.run("--yes", code=0).document["charges"]
    assert vendor.control.sessions.open() == ()
    vendor = rehearse(name)
    # All but what comes after both starts.
    vendor.run("--yes", "--budget", whole, "--out", "less.json", code=3)
    assert vendor.control.sessions.open() == ()


@SLOW
def test_profile_without_a_workflow_starts_no_session(rehearse, tmp_path):
    vendor = rehearse("didit")
    config = tmp_path / "facematch.toml"
    lines = config.read_text().splitlines()
    config.write_text("\n".join(line for line in lines if "workflow_id" not in line))
    assert "session" not in vendor.run("--yes", code=0).document["calls"]
    assert vendor.control.journal(path="/v3/session/") == ()


def test_one_picture_instead_of_two_is_refused_with_what_is_needed(run, tmp_path):
    (tmp_path / "me.png").write_bytes(b"")
    answer = run("parity", "shop", "--same", "me.png", "--other", "me.png")
    assert answer.exit_code == 2
    assert "two pictures of one person are needed, but --other follows the first" in answer.stderr


@pytest.mark.parametrize("words", [("--out", "anna-one.png"), ()], ids=["picture", "own file"])
def test_output_never_overwrites_a_file_that_is_not_a_record(rehearse, tmp_path, words):
    vendor = rehearse("didit")
    vendor.record.write_text(json.dumps({"claims": []}))
    vendor.run("--yes", *words, code=2)
    assert vendor.control.journal() == ()
    assert json.loads(vendor.record.read_text()) == {"claims": []}
    assert Image.read(tmp_path / "anna-one.png")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signal")
@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param("SIGTERM", "recording.Recorder.make", marks=SLOW),
        ("SIGHUP", "recording.Recorder.make"),
        (
            "SIGINT",
            "recording.Recorder._send_and_record",
        ),  # a start that is answered, and not yet read
        ("SIGINT", "command.is_private"),  # what comes before the record is written
    ],
)
def test_signal_still_writes_a_record_and_leaves_no_session_open(
    rehearse, monkeypatch, name, place
):
    vendor = rehearse("azure")
    number = getattr(signal, name)
    unheard = []
    place = f"facematch_mock_server.parity.{place}"
    whole = pkgutil.resolve_name(place)

    def stop(*words, **how):
        outcome = whole(*words, **how)
        if not isinstance(words[0], Recorder) or vendor.control.sessions.open():
            monkeypatch.setattr(place, whole)
            signal.raise_signal(number)
        return outcome

    monkeypatch.setattr(place, stop)
    before = signal.signal(number, lambda *_: unheard.append(number))
    try:
        result = vendor.run("--yes")
    finally:
        signal.signal(number, before)
    assert result.document["kind"] == "facematch-parity"
    assert (vendor.control.sessions.open(), unheard) == ((), [])
    assert (result.answer.exit_code == 130) is (".recording." in place)


@pytest.mark.parametrize("is_answered", [True, pytest.param(False, marks=SLOW)])
def test_session_with_an_unknown_id_is_reported_as_possibly_remaining(rehearse, is_answered):
    vendor = rehearse("azure")
    if is_answered:
        change(vendor, {}, _body("Liveness-sessions", lambda body: body.pop("sessionId", None)))
    else:
        aim = {"executed": True, "path": "/face/v1.2/detectLiveness-sessions"}
        vendor.control.add_fault(Fault(stage="after_upload", kind="truncate", **aim))
    answer = vendor.run("--yes", code=1 if is_answered else 3).answer
    assert len(vendor.control.sessions.open()) == 1
    assert "The session of the call session may still exist at the vendor" in answer.output
    assert ("session-read (the start returned no id)" in answer.output) is is_answered
