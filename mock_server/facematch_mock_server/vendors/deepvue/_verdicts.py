"""From what is seen in pictures to an answer, and what it costs."""

from __future__ import annotations

from typing import Any

from facematch_mock_server._messages import Response
from facematch_mock_server.outcomes import LivenessOutcome, MatchOutcome

from ._call import Call
from ._records import records_of
from ._refusing import envelope, refused


def compare(call: Call) -> MatchOutcome:
    """What a comparison finds."""
    one, other = (call.upload(name) for name in call.told.peek("match.fields"))
    return call.world.decider.match(
        one.content,
        other.content,
        rotate=False,
        probe_digest=one.digest,
        reference_digest=other.digest,
    )


def look(call: Call) -> LivenessOutcome:
    """What a liveness check finds."""
    sent = call.upload(call.told.peek("liveness.fields")[0])
    return call.world.decider.liveness(sent.content, rotate=False, digest=sent.digest)


def unpaid(call: Call) -> Response:
    """The refusal of a call that the balance does not cover."""
    for key in ("credit.start", f"credit.price.{call.route.name}"):
        call.told.note(key)
    return refused(call, "credit.refused")


def charge(call: Call) -> bool:
    """Take the price of the call from the balance; False if there is not so much."""
    told, name = call.told, call.route.name
    return call.ledger.charge(
        told[f"credit.price.{name}"],
        at=call.now,
        what=told[f"credit.{name}"],
        request_id=_id(call),
    )


def faceless(call: Call) -> Response | None:
    """The answer where there is no face; None if there is one in every picture."""
    outcome = call.outcome
    there = outcome.score is not None if call.route.name == "match" else outcome.probe.faces
    if there:
        return None
    told = call.told
    text, sub_code = told["face.text"], told["face.sub_code"]
    if told.peek("face.missing").status != 200:
        return told.answer("face.missing", envelope(call, told["face.keys"], text, sub_code))
    if told["credit.no_face"] and not charge(call):
        return unpaid(call)
    return told.answer("face.missing", _body(call, None, sub_code, text))


def matched(call: Call) -> Response:
    """The answer to a comparison."""
    told = call.told
    score = _score(call)
    shown = _rounded(call, score)
    is_match = (shown if told["match.compared"] == "shown" else score) >= told["match.from"]
    known = {"match": is_match, "confidence": _confidence(call, score, is_match=is_match)}
    data = {name: known[name] for name in told["match.data"]}
    return _answered(call, data, is_good=is_match)


def _score(call: Call) -> float:
    outcome: MatchOutcome = call.outcome
    one, other = (call.upload(name) for name in call.told.peek("match.fields"))
    if outcome.by == "bytes" and one.content == other.content:
        return float(call.told["match.equal_bytes"])
    return float(outcome.score or 0)


def _rounded(call: Call, score: float) -> float:
    places: int = call.told["match.decimals"]
    return round(score, places) if places else int(score + 0.5)


def _confidence(call: Call, score: float, *, is_match: bool) -> float | None:
    meaning = call.told["match.confidence"]
    if meaning == "null":
        return None
    return _rounded(call, score if is_match or meaning == "similarity" else 100 - score)


def checked(call: Call) -> Response:
    """The answer to a liveness check."""
    told = call.told
    outcome: LivenessOutcome = call.outcome
    score = outcome.score
    is_live = told["liveness.unsure"] if score is None else score >= told["liveness.from"]
    if outcome.attack:
        is_live = is_live and told["liveness.attack"]
    number = None if score is None else int(score + 0.5)
    known = {"is_live": is_live, "score": None if told["liveness.score"] == "null" else number}
    return _answered(call, {name: known[name] for name in told["liveness.data"]}, is_good=is_live)


def _answered(call: Call, data: dict[str, Any], *, is_good: bool) -> Response:
    told, name = call.told, call.route.name
    if (is_good or told["credit.negative"]) and not charge(call):
        # Another call took the last credit in the meantime.
        return unpaid(call)
    body = _body(call, data, told["answer.sub_code"], told[f"{name}.message"])
    made_up = records_of(call.world).made_up.take(name)
    if made_up is not None and told["answer.own"]:
        body = made_up.applied(body)
    return told.answer(f"{name}.answer", body)


def _body(call: Call, data: Any, sub_code: str, message: str) -> dict[str, Any]:
    told, version = call.told, call.route.version
    keys: tuple[str, ...] = told[f"{version}.keys"]
    known = {
        "code": 200 if told["answer.code"] else None,
        "timestamp": _timestamp(call) if "timestamp" in keys else None,
        "transaction_id": _id(call),
        "sub_code": sub_code,
        "message": message,
        "data": data,
    }
    return {key: known[key] for key in keys}


def _timestamp(call: Call) -> int | None:
    key = f"{call.route.version}.timed"
    if key not in call.world.behaviours:
        return call.timestamp
    return call.timestamp if call.told[key] else None


def _id(call: Call) -> str:
    text = call.transaction_id
    return text if call.told[f"{call.route.version}.dashes"] else text.replace("-", "")
