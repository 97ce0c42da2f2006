"""Vendors that behave otherwise than their mock: what is changed, and the claim that must fail."""

import json

import attrs

from facematch_mock_server.claims import Reply

#: Pictures of the command, and the ready cards that they are.
CARDS = {"anna-one.png": "p1", "anna-two.png": "p1-again", "berta.png": "p2"}
PICTURES = ("--same", "anna-one.png", "anna-two.png", "--other", "berta.png")


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
    ("didit", "deletions", {"switches": {"delete_status": 200, "empty_blocks": "list"}}, {}, None),
    ("deepvue", "slow", {"switches": {"day_limit": 100_000}}, {}, None),
    ("deepvue", "seed", {"seed": 3}, {}, None),
    ("azure", "seed", {"seed": 3}, {}, None),
    ("rekognition", "order of keys", {}, {}, _body("", lambda body: dict(reversed(body.items())))),
    ("compreface", "score", {}, {}, _body("verify", _matches(lambda match: match.update(similarity=0.61234)))),
]  # fmt: skip


def change(vendor, values, alter):
    """Let a vendor's mock behave so."""
    for key, value in values.items():
        vendor.claims._table[key] = (value, vendor.claims._table[key][1])
    if alter is not None:
        app = vendor.server.app
        handle = app.handle
        app.handle = lambda request: alter(request, handle(request))
