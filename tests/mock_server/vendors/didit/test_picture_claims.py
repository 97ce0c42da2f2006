"""Which claims an answer about a picture names: what decided it, and no other."""

import pytest
from kit import mock_didit as didit
from kit.mock_didit import MATCH, control, liveness, match, picture, request

SANDBOX = "mock-sandbox-key"
UNSAVED = {"save_api_request": "false"}
PLAIN = "answer.echo.sent answer.created_at.offset entity.keys.five"
SHAPE = f"{PLAIN} score.type.float"
PASSED = f"{SHAPE} match.boundary.exclusive match.answer credit.price.match"
LIVE = f"{SHAPE} liveness.boundary.exclusive liveness.quality_risks.none liveness.answer"
PAID = "credit.price.liveness"
LOW = "warning.keys.six"
MARCH = (
    "answer.echo.not_sent answer.created_at.zulu entity.keys.four score.type.integer "
    "score.compared match.boundary.inclusive match.answer credit.price.match"
)
NO_PAIR = f"{LOW} warning.words match.faceless match.no_face_risk.reference match.no_pair"
HALF, TYPE = didit.multipart(
    (), [("user_image", "a.jpg", picture()), ("ref_image", "b.jpg", picture())]
)

#: request, settings -> claims
RULES = [
    (match(), {}, PASSED),
    (match(**UNSAVED), {}, PASSED),
    (match(picture(score=3)), {}, f"{PASSED} {LOW}"),
    (match(picture(score=30.004)), {}, f"{PASSED} {LOW} score.compared"),
    (
        match(picture(faces=0)),
        {},
        f"{NO_PAIR} match.no_pair_score.july credit.price.match {PLAIN}",
    ),
    (match(picture(faces=2)), {}, f"{PASSED} entity.largest_first"),
    (
        match(),
        {"edition": "2026-03"},
        MARCH,
    ),
    (match(key=SANDBOX), {}, f"{SHAPE} match.sandbox match.answer"),
    (request(MATCH, HALF[:-20], TYPE), {}, "fields.refused"),
    (match(key=None), {}, "auth.missing.403 auth.words.403"),
    (match(rotate_image="maybe"), {}, "fields.refused"),
    (liveness(picture(score=92)), {}, f"{LIVE} {PAID}"),
    (liveness(picture(score=92), **UNSAVED), {}, f"{LIVE} {PAID}"),
    (
        liveness(picture(score=None)),
        {},
        f"{PLAIN} liveness.quality_risks.none liveness.answer liveness.null_score {LOW} {PAID}",
    ),
    (
        liveness(picture(score=92, faces=2)),
        {},
        f"{LIVE} {PAID} {LOW} warning.words entity.largest_first",
    ),
    (liveness(key=SANDBOX), {}, f"{SHAPE} liveness.sandbox liveness.answer"),
]


@pytest.mark.parametrize(("sent", "settings", "rules"), RULES, ids=range(len(RULES)))
def test_the_claims_of_an_answer(sent, settings, rules):
    """All of them, and no other."""
    answer = didit.new_engine(**settings).handle(sent)
    assert set(answer.claims) == {f"didit.{rule}" for rule in rules.split()}


@pytest.mark.parametrize(("sent", "price"), [(match(), "match"), (liveness(), "liveness")])
def test_the_claims_of_a_call_that_cannot_be_paid(ask, sent, price):
    """The price is among them."""
    response = ask(control("ledger/balance", {"balance": "0.001"}), sent)[2]
    names = ("order.credit.after_fields", f"credit.price.{price}", "credit.refused")
    assert response.claims == tuple(f"didit.{name}" for name in names)
