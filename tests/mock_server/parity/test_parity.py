import json
import subprocess
from contextlib import closing
from pathlib import Path
from random import Random

import attrs
import pytest
from kit.parity import CARDS, PICTURES, change

from facematch_core import Image, open_verifier
from facematch_core.testing import find_leaks, picture_samples
from facematch_mock_server import Fault
from facematch_mock_server.claims import Reply
from facematch_mock_server.parity.calls import VENDORS
from facematch_mock_server.parity.running import Caller, CallLog
from facematch_mock_server.recognition.sheet import card_sheet, make_card


def _body(part, change):
    """Change the JSON of answers to paths with `part` in them."""

    def alter(request, response):
        if part not in request.target or not response.body.startswith((b"{", b"[")):
            return response
        body = json.loads(response.body)
        changed = change(body)
        body = body if changed is None else changed
        return attrs.evolve(response, body=json.dumps(body).encode())

    return alter


def _reply(of, **changes):
    """Change answers of one status."""

    def alter(request, response):
        if response.status != of or "balance" in request.target:
            return response
        if "body" in changes:
            return attrs.evolve(response, body=changes["body"], **_head(response, changes))
        return attrs.evolve(response, **_head(response, changes))

    return alter


def _head(response, changes):
    headers = {name.lower(): value for name, value in response.headers}
    headers |= changes.get("headers", {})
    lines = [(name, value) for name, value in headers.items() if value is not None]
    return {"headers": lines, "status": changes.get("status", response.status)}


def _rename(body, old, new):
    if isinstance(body, dict):
        for value in body.values():
            _rename(value, old, new)
        if old in body:
            body[new] = body.pop(old)
    elif isinstance(body, list):
        for value in body:
            _rename(value, old, new)


def _scale(*path, by):
    def change(body):
        *place, last = path
        for name in place:
            body = body[name] if isinstance(body, list) or name in body else {}
        if isinstance(body, dict) and isinstance(body.get(last), float):
            body[last] *= by

    return change


def _matches(change):
    def each(body):
        for result in body.get("result", ()):
            for match in result["face_matches"]:
                change(match)

    return each


def _only(method, alter):
    return lambda request, response: (
        alter(request, response) if request.method == method else response
    )


def _number_sessions():
    """Another session for each start, which is there for nobody."""
    starts = []

    def change(body):
        if [*body] == ["SessionId"]:
            starts.append(body)
            body["SessionId"] = f"11111111-2222-4333-8444-{len(starts):012}"

    return change


#: Vendor, name, what the server is made with, values of its claims, what is done to its answers,
#: and what the id of a claim that fails begins with.
CHANGES = [
    ("didit", "march", {"edition": "2026-03"}, {}, None, "didit.score.type"),
    ("didit", "november", {"edition": "2026-11"}, {}, None, "didit.auth.wrong"),
    ("didit", "boundary", {"switches": {"boundary": "inclusive"}}, {}, None, "didit.match.boundary"),
    ("didit", "integers", {"switches": {"score_type": "integer"}}, {}, None, "didit.score.type"),
    ("didit", "risk", {"switches": {"no_face_risk": "NO_FACE_DETECTED"}}, {}, None, "didit.match.no_face_risk"),
    ("didit", "four keys", {"switches": {"warning_keys": 4}}, {}, None, "didit.warning.keys"),
    ("didit", "no echo", {"switches": {"echo_fields": False}}, {}, None, "didit.answer.echo"),
    ("didit", "zulu", {"switches": {"created_at_style": "Z"}}, {}, None, "didit.answer.created_at"),
    ("didit", "undecodable", {"switches": {"undecodable": 400}}, {}, None, "didit.match"),
    ("didit", "401", {"switches": {"auth_errors": "401"}}, {}, None, "didit.auth.missing"),
    ("didit", "scoped", {"switches": {"auth_errors": "scoped"}}, {}, None, "didit.auth.wrong"),
    ("didit", "4 MB", {"switches": {"size_limit_bytes": 4_000_000}}, {}, None, "didit.file.size_limit"),
    ("didit", "6 MB", {"switches": {"size_limit_bytes": 6_000_000}}, {}, None, "didit.file.size_limit"),
    ("didit", "dearer match", {"switches": {"price_match": "0.07"}}, {}, None, "didit.credit.price.match"),
    ("didit", "free liveness", {"switches": {"price_liveness": "0"}}, {}, None, "didit.credit.price.liveness"),
    ("didit", "liveness boundary", {}, {"liveness.boundary": "inclusive"}, None, "didit.liveness.boundary"),
    ("didit", "no race", {}, {"entity.keys": 4}, None, "didit.entity.keys"),
    ("didit", "quality", {}, {"liveness.quality_risks": True, "liveness.quality_limits": (99, 20, 80)}, None, "didit.liveness"),
    ("didit", "words", {}, {"auth.words.403": Reply(403, {"detail": "Invalid token."})}, None, "didit.auth"),
    ("didit", "no face is refused", {}, {"match.no_pair": Reply(400, {"error": "No face."})}, None, "didit.match.no_pair"),
    ("didit", "error key", {}, {}, _body("/v3/", lambda body: _rename(body, "detail", "message")), "didit.auth"),
    ("didit", "verdict word", {}, {}, _body("match", lambda body: _rename(body, "face_match", "match")), "didit.match"),
    ("didit", "fraction", {}, {}, _body("match", _scale("face_match", "score", by=0.01)), "didit.match"),
    ("didit", "page", {}, {}, _reply(400, body=b"<p>Bad</p>", headers={"content-type": "text/html"}), "didit.fields"),
    ("didit", "no allow", {}, {}, _reply(400, headers={"allow": None}), "didit."),
    ("deepvue", "bad token", {"switches": {"bad_token": 401}}, {}, None, "deepvue.auth.token"),
    ("deepvue", "24hrs", {"switches": {"expiry": "24hrs"}}, {}, None, "deepvue.token.expiry"),
    ("deepvue", "digits", {"switches": {"expiry": "digits"}}, {}, None, "deepvue.token.expiry"),
    ("deepvue", "expires_in", {"switches": {"expiry": "expires_in"}}, {}, None, "deepvue.token"),
    ("deepvue", "no expiry", {"switches": {"expiry": "missing"}}, {}, None, "deepvue.token"),
    ("deepvue", "Bearer", {"switches": {"token_type": "Bearer"}}, {}, None, "deepvue.token.type"),
    ("deepvue", "envelope", {"switches": {"error_shape": "envelope"}}, {}, None, "deepvue."),
    ("deepvue", "no face 200", {"switches": {"no_face": 200}}, {}, None, "deepvue.face.missing"),
    ("deepvue", "sure", {"switches": {"confidence_as": "decision"}}, {}, None, "deepvue.match.confidence"),
    ("deepvue", "no confidence", {"switches": {"confidence_as": "null"}}, {}, None, "deepvue.match.confidence"),
    ("deepvue", "code null", {"switches": {"code": "null"}}, {}, None, "deepvue.answer.code"),
    ("deepvue", "live score", {"switches": {"liveness_score": "number"}}, {}, None, "deepvue.liveness.score"),
    ("deepvue", "pydantic", {"switches": {"validation_bodies": "pydantic2"}}, {}, None, "deepvue.body"),
    ("deepvue", "match from", {"switches": {"match_from": 99}}, {}, None, "deepvue.match.confidence"),
    ("deepvue", "price", {"switches": {"price_match": "1"}}, {}, None, "deepvue.credit.price.match"),
    ("deepvue", "pair", {}, {"auth.pair": Reply(403, {"detail": "No"})}, None, "deepvue.auth.pair"),
    ("deepvue", "any file", {}, {}, _reply(422, status=415), "deepvue."),
    ("azure", "no approval", {"switches": {"access": "unapproved"}}, {}, None, "azure."),
    ("azure", "key", {}, {"key.wrong": Reply(403, {"error": {"code": "403", "message": "No."}})}, None, "azure.key.wrong"),
    ("azure", "percent", {}, {}, _body("verify", _scale("confidence", by=100)), "azure.verify"),
    ("azure", "inner error", {}, {}, _body("detect", lambda body: {"error": {"innererror": body["error"]}} if "error" in body else body), "azure."),
    ("azure", "code header", {}, {}, _reply(400, headers={"x-ms-error-code": None}), "azure."),
    ("azure", "verdict", {}, {}, _body("verify", lambda body: body.update(isIdentical=not body["isIdentical"])), "azure.verify"),
    ("rekognition", "names", {"switches": {"auth_names": "documented"}}, {}, None, "rekognition.auth"),
    ("rekognition", "sizes", {}, {"image.size": Reply(413, {"__type": "TooLarge"})}, None, "rekognition.image.size"),
    ("rekognition", "no type", {}, {}, _body("", lambda body: _rename(body, "__type", "type")), "rekognition."),
    ("rekognition", "pixels", {}, {}, _body("", lambda body: _rename(body, "BoundingBox", "Box")), "rekognition.compare"),
    ("didit", "start 200", {}, {"start.answer": Reply(200)}, None, "didit.start.answer"),
    ("didit", "token of a session", {}, {}, _body("/v3/session/", lambda body: _rename(body, "session_token", "token")), "didit.start.answer"),
    ("didit", "word of a session", {}, {}, _body("decision", lambda body: body.update(status="Open")), "didit.decision.answer"),
    ("didit", "no address", {}, {}, _body("decision", lambda body: body.update(session_url=None)), "didit.decision"),
    ("didit", "workflow", {}, {"start.workflow": Reply(404, {"detail": "No such workflow."})}, None, "didit.start.workflow"),
    ("didit", "paid at its start", {"switches": {"session_charged": "created"}}, {}, None, "didit.session.charged"),
    ("didit", "unknown session", {}, {"session.unknown": Reply(410, {"detail": "No."})}, None, "didit.session.unknown"),
    ("didit", "empty blocks", {"switches": {"empty_blocks": "list"}}, {}, None, "didit.decision"),
    ("didit", "deletion", {"switches": {"delete_status": 204}}, {}, None, "didit.delete.answer"),
    ("azure", "token once", {}, {}, _only("GET", _body("essions/", lambda body: body.pop("authToken", None) and None)), "azure.session.read"),
    ("azure", "word of a session", {}, {}, _body("essions/", lambda body: body.update(status="Waiting") if "status" in body else None), "azure.session.read"),
    ("azure", "any mode", {}, {"session.mode": Reply(422, {"error": {"code": "Mode", "message": "No."}})}, None, "azure.session.mode"),
    ("azure", "unknown session", {}, {"session.unknown": Reply(410, {"error": {"code": "Gone", "message": "No."}})}, None, "azure.session.unknown"),
    ("azure", "deletion", {}, {}, _only("DELETE", _reply(204, status=202)), "azure.session.deleted"),
    ("rekognition", "new session", {}, {}, _body("", _number_sessions()), "rekognition.session"),
    ("rekognition", "word of a session", {}, {}, _body("", lambda body: body.update(Status="OPEN") if "Status" in body else None), "rekognition.session.results"),
    ("rekognition", "no such session", {}, {}, _body("", lambda body: body.update(__type="ResourceNotFoundException") if "SessionNotFound" in body.get("__type", "") else None), "rekognition.session.unknown"),
    ("compreface", "one message", {}, {"key.missing": Reply(401, {"message": "No key", "code": 20})}, None, "compreface.key"),
    ("compreface", "percent", {}, {}, _body("verify", _matches(_scale("similarity", by=100))), "compreface.verify"),
    ("compreface", "many", {}, {"part.missing": Reply(400, {"message": "Missing", "code": 35})}, None, "compreface.part"),
]  # fmt: skip
#: What no call of parity can show, or no claim is about.
SAME = [
    ("didit", "seed", {"seed": 7}, {}, None),
    ("didit", "order of keys", {}, {}, _body("/v3/", lambda body: dict(reversed(body.items())))),
    ("didit", "ids", {}, {}, _body("/v3/", lambda body: body.update(request_id="req_8HSHSJ2kd") if "request_id" in body else None)),
    ("didit", "header", {}, {}, _reply(200, headers={"server": "cloudflare", "cf-ray": "8d1c-FRA", "x-request-id": "77"})),
    ("didit", "life of a session", {"switches": {"session_lifetime_s": 3600}}, {}, None),
    ("didit", "session number", {}, {}, _body("/v3/session/", lambda body: body.update(session_number=4711) if "session_number" in body else None)),
    ("azure", "device", {}, {}, _body("essions", lambda body: body.update(deviceCorrelationId="8d1c") if "deviceCorrelationId" in body else None)),
    ("rekognition", "paid sessions", {"switches": {"session_charged": "created"}}, {}, None),
    ("deepvue", "slow", {"switches": {"day_limit": 100_000}}, {}, None),
    ("deepvue", "seed", {"seed": 3}, {}, None),
    ("azure", "seed", {"seed": 3}, {}, None),
    ("rekognition", "order of keys", {}, {}, _body("", lambda body: dict(reversed(body.items())))),
    ("compreface", "score", {}, {}, _body("verify", _matches(lambda match: match.update(similarity=0.61234)))),
]  # fmt: skip


ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor_that_is_as_its_mock_fails_no_claim(rehearse, name):
    vendor = rehearse(name)
    result = vendor.run("--yes", code=0)
    results = [row["result"] for row in result.rows.values()]
    assert "fails" not in results
    assert results.count("holds") >= 8
    assert result.document["rehearsal"]
    assert len(vendor.control.charges()) <= result.document["charges"]


def _failed(vendor, values, alter):
    change(vendor, values, alter)
    result = vendor.run("--yes")
    assert result.answer.exit_code in (0, 1), result.answer.output
    assert len(vendor.control.charges()) <= result.document["charges"]
    return sorted(claim for claim, row in result.rows.items() if row["result"] == "fails")


@pytest.mark.slow
@pytest.mark.parametrize("row", CHANGES, ids=lambda row: f"{row[0]}-{row[1]}")
def test_what_a_vendor_does_otherwise_fails_its_claim(rehearse, row):
    name, _, how, values, alter, claim = row
    failed = _failed(rehearse(name, **how), values, alter)
    assert any(each.startswith(claim) for each in failed), failed


@pytest.mark.slow
@pytest.mark.parametrize("row", SAME, ids=lambda row: f"{row[0]}-{row[1]}")
def test_what_differs_in_every_call_fails_nothing(rehearse, row):
    name, _, how, values, alter = row
    assert _failed(rehearse(name, **how), values, alter) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("pictures", ["photographs", "score 0", "score 50", "score 100", "several"])
def test_whatever_pictures_show_fails_nothing(rehearse, tmp_path, name, pictures):
    vendor = rehearse(name)
    same, two, other = (tmp_path / file for file in CARDS)
    if pictures == "photographs":
        files = ("Family1-Dad1.jpg", "Family1-Dad2.jpg", "Family1-Mom1.jpg")
        for path, file in zip((same, two, other), files, strict=True):
            path.write_bytes((ROOT / "docs" / "photographs" / file).read_bytes())
    elif pictures == "several":
        same.write_bytes(card_sheet()["two-faces"].data)
    else:
        score = int(pictures.split()[1])
        same.write_bytes(make_card("p1", liveness=score))
        two.write_bytes(make_card("p1", score=score))
        other.write_bytes(make_card("p2", score=score))
    assert _failed(vendor, {}, None) == []


# Money


def test_it_asks_first_and_a_no_sends_nothing(rehearse, terminal):
    vendor = rehearse("didit")
    assert vendor.run(input="n\n").answer.exit_code == 130
    assert vendor.control.journal() == ()


def test_without_a_terminal_nothing_is_sent(rehearse):
    vendor = rehearse("didit")
    assert vendor.run().answer.exit_code == 2
    assert vendor.control.journal() == ()


@pytest.mark.parametrize("budget", [0, 1, 3])
def test_a_budget_is_never_exceeded_and_more_of_it_goes_on(rehearse, budget):
    vendor = rehearse("didit")
    vendor.run("--yes", "--budget", budget, code=3)
    assert len(vendor.control.charges()) == budget
    vendor.run("--yes", code=0)
    assert len(vendor.control.charges()) == 13


def test_a_second_run_costs_nothing(rehearse):
    vendor = rehearse("deepvue")
    vendor.run("--yes")
    charges = len(vendor.control.charges())
    vendor.control.clear_journal()
    vendor.run(code=0)
    assert (len(vendor.control.charges()), vendor.control.journal()) == (charges, ())


def test_another_plan_than_that_of_the_journal_is_refused(rehearse):
    vendor = rehearse("deepvue")
    vendor.run("--yes", "--budget", 1, code=3)
    result = vendor.run("--yes", "--switch", "bad_token=401", code=2)
    assert "another profile, edition or other pictures" in result.answer.output


def test_a_vendor_that_is_not_there_ends_it_and_it_goes_on_later(rehearse):
    vendor = rehearse("azure")
    vendor.server.stop()
    vendor.run("--yes", code=5)
    assert not vendor.record.exists()


def test_an_answer_that_is_lost_counts_and_is_not_asked_for_again(rehearse):
    vendor = rehearse("didit")
    fault = Fault(stage="after_upload", kind="truncate", executed=True, path="/v3/face-match/")
    vendor.control.add_fault(fault)
    first = vendor.run("--yes", code=0).document
    assert first["charges"] >= len(vendor.control.charges())


@pytest.mark.parametrize(
    ("backend", "words"), [("local", "no mock"), ("acme", "acme")], ids=["local", "unknown"]
)
def test_where_there_is_nobody_to_compare_it_says_so(run, tmp_path, backend, words):
    (tmp_path / "facematch.toml").write_text(f'[profiles.shop]\nbackend = "{backend}"\n')
    for name in CARDS:
        (tmp_path / name).write_bytes(b"")
    answer = run("parity", "shop", "--config", "facematch.toml", *PICTURES, "--yes")
    assert answer.exit_code == 4
    assert words in answer.output


# What is left on the disk


def test_neither_journal_nor_record_has_a_picture_a_key_an_id_or_a_name(rehearse, tmp_path):
    vendor = rehearse("didit")
    ids = set()
    change(vendor, {}, _remember_ids(ids))
    result = vendor.run("--yes", code=0)
    journal = tmp_path / "parity-didit.json.journal"
    assert journal.stat().st_mode & 0o777 == 0o600
    texts = journal.read_bytes() + result.record.read_bytes()
    assert len(ids) > 5
    for secret in (*ids, "anna-one", "anna-two", "berta.png", "mock-live-key"):
        assert find_leaks(secret, texts) == ()
    for name in CARDS:
        image = Image.read(tmp_path / name)
        for piece in (*picture_samples(image), *picture_samples(image.prepared())):
            assert find_leaks(piece, texts) == ()


@pytest.mark.parametrize("name", ["didit", "azure", "rekognition"])
def test_neither_key_nor_id_of_a_session_is_in_the_record(rehearse, tmp_path, name):
    vendor, keys, ids = rehearse(name), set(), set()

    def remember(request, response):
        body = response.json() if response.body.startswith(b"{") else {}
        keys.update(body.get(key) for key in ("session_token", "authToken", "url"))
        ids.update(body.get(key) for key in ("session_id", "sessionId", "SessionId"))
        return response

    change(vendor, {}, remember)
    record = vendor.run("--yes", code=0).record.read_bytes()
    journal = (tmp_path / f"parity-{name}.json.journal").read_bytes()
    assert len(ids - {None}) >= 1
    for key in keys - {None}:
        assert (find_leaks(key, record), find_leaks(key, journal)) == ((), ())
    for session_id in ids - {None}:
        assert find_leaks(session_id, record) == ()


@pytest.mark.parametrize("name", ["didit", "azure"])
def test_what_was_started_is_deleted_even_when_the_budget_ends(rehearse, name):
    vendor = rehearse(name)
    whole = vendor.run("--yes", code=0).document["charges"]
    assert vendor.control.sessions.open() == ()
    vendor = rehearse(name)
    vendor.record.unlink()
    vendor.record.with_name(f"{vendor.record.name}.journal").unlink()
    # All but what comes after both starts.
    vendor.run("--yes", "--budget", whole, "--out", "less.json", code=3)
    assert vendor.control.sessions.open() == ()


def test_a_profile_without_a_workflow_is_asked_for_no_session(rehearse, tmp_path):
    vendor = rehearse("didit")
    config = tmp_path / "facematch.toml"
    lines = config.read_text().splitlines()
    config.write_text("\n".join(line for line in lines if "workflow_id" not in line))
    assert "session" not in vendor.run("--yes", code=0).document["calls"]
    assert vendor.control.journal(path="/v3/session/") == ()


def test_a_vendor_that_repeats_what_it_was_sent_does_not_get_it_into_the_record(rehearse, tmp_path):
    vendor = rehearse("didit")
    words = (
        "Anna Karenina of flat 7, anna@example.com, mock-live-key; \xb5\x07 the user berta of acme"
    )
    change(
        vendor,
        {"fields.refused": Reply(400), "auth.words.403": Reply(403, {"detail": words})},
        None,
    )
    result = vendor.run("--yes", code=1)
    text = result.record.read_text() + (tmp_path / "parity-didit.json.journal").read_text()
    for word in ("Anna", "Karenina", "example.com", "mock-live-key", "berta", "acme"):
        assert word not in text
    assert text.isascii()
    assert "\\u" not in text


def test_a_file_that_is_no_record_is_not_replaced(rehearse, tmp_path):
    vendor = rehearse("didit")
    vendor.run("--yes", "--out", "anna-one.png", code=2)
    assert vendor.control.journal() == ()
    assert Image.read(tmp_path / "anna-one.png")


def test_a_journal_that_another_run_uses_is_refused(rehearse, tmp_path):
    vendor = rehearse("didit")
    with closing(CallLog(tmp_path / "parity-didit.json.journal", ())):
        result = vendor.run("--yes", code=2)
    assert "in use" in result.answer.output
    assert vendor.control.journal() == ()


def test_what_was_too_many_calls_is_free_and_tried_again(rehearse):
    vendor = rehearse("deepvue")
    vendor.control.add_fault(Fault(path="/v1/facematch", stage="answer", kind="status", status=429))
    first = vendor.run("--yes", code=0).document["calls"]
    again = vendor.run("--yes", code=0).document["calls"]
    assert "RateLimited" in {call.get("error") for call in first.values()}
    assert "RateLimited" not in {call.get("error") for call in again.values()}


def _remember_ids(ids):
    def alter(request, response):
        if b'"request_id"' in response.body:
            ids.add(response.json()["request_id"])
        return response

    return alter


@pytest.mark.slow
def test_twenty_kills_pay_for_no_call_twice(rehearse, tmp_path, started):
    vendor = rehearse("didit")
    random, processes, kills = Random(20), [], []
    app = vendor.server.app
    handle = app.handle

    def answer(request):
        is_late = random.random() < 0.5
        response = handle(request) if is_late else None
        if len(kills) < 20 and random.random() < 0.5:
            kills.append(request.path)
            processes[-1].kill()
        return response or handle(request)

    app.handle = answer
    words = ("parity", "shop", "--config", "facematch.toml", *PICTURES, "--yes")
    for _ in range(40):
        path = [str(ROOT / "mock_server")]
        process = started(
            *words, path=path, run=subprocess.Popen, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        _, errors = process.communicate(timeout=60)
        if process.returncode in (0, 1):
            break
    assert (len(kills), vendor.record.exists()) == (20, True), errors
    document = json.loads(vendor.record.read_text())
    assert len(vendor.control.charges()) <= document["charges"] <= 24
    sent = [
        (*entry.files, entry.fields.get("face_match_score_decline_threshold"))
        for entry in vendor.control.journal(path="/v3/face-match/", status=200)
    ]
    assert len(sent) == len(set(map(str, sent)))
    assert [row for row in document["claims"] if row["result"] == "fails"] == []
    written = b"".join(
        file.read_bytes() for file in tmp_path.rglob("*") if file.suffix in (".json", ".journal")
    )
    for name in CARDS:
        for piece in picture_samples(Image.read(tmp_path / name)):
            assert find_leaks(piece, written) == ()


# The pages


def test_no_page_says_yes_without_a_record():
    page = (ROOT / "docs" / "vendors" / "index.md").read_text(encoding="utf-8")
    cells = {row[0].strip(" `"): row[-1].strip() for row in _rows(page, "Parity")}
    assert set(cells) == set(VENDORS)
    for name, cell in cells.items():
        record = ROOT / "docs" / "evidence" / "parity" / f"{name}.json"
        if not record.exists():
            vendor_page = (ROOT / "docs" / "vendors" / f"{name}.md").read_text(encoding="utf-8")
            assert (cell, "parity: never run" in vendor_page) == ("never run", True), name
            continue
        document = json.loads(record.read_text(encoding="utf-8"))
        assert (document["kind"], document["vendor"]) == ("facematch-parity", name)
        assert not document["rehearsal"]


def _rows(page, column):
    """The rows of the table whose last column has that title."""
    _, _, table = page.partition(f"| {column} |\n")
    for line in table.splitlines()[1:]:
        if not line.startswith("|"):
            return
        yield line.strip("|").split("|")


def test_a_vendor_is_asked_no_faster_than_it_publishes():
    keys = {"client_id": "deepvue-client", "client_secret": "deepvue-secret"}
    with open_verifier("deepvue", **keys) as verifier:
        assert Caller(verifier.backend, VENDORS["deepvue"], ()).pause_s == 2.0
    with open_verifier("deepvue", **keys, base_url="http://127.0.0.1:9") as verifier:
        assert Caller(verifier.backend, VENDORS["deepvue"], ()).pause_s == 0


def test_where_a_score_is_lost_no_threshold_is_tried(rehearse):
    vendor = rehearse("didit")
    fault = Fault(
        stage="after_upload", kind="truncate", executed=True, path="/v3/passive-liveness/"
    )
    vendor.control.add_fault(fault)
    calls = vendor.run("--yes", code=0).document["calls"]
    assert calls["live"]["error"] == "OutcomeUnknown"
    assert "state" in calls["live-above-score"]
    assert "state" not in calls["above-score"]
