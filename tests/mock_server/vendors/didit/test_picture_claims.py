"""Which rules an answer about a picture rests on, and that it names no other."""

import pytest
from kit import mock_didit as didit
from kit.mock_didit import MATCH, control, liveness, match, picture, request

SANDBOX = "mock-sandbox-key"
UNSAVED = {"save_api_request": "false"}
KEPT = "session.saved session.kept"
FACE = "entity.box entity.race"
COMPARED = f"match.compared {FACE}"
LOOKED = f"liveness.compared liveness.declining {FACE}"
CANNED = "credit.sandbox session.sandbox"
SEVERAL = "entity.largest_first entity.all"
UNPAID = "credit.start credit.last_cent credit.other_status"
HALF, TYPE = didit.multipart(
    (), [("user_image", "a.jpg", picture()), ("ref_image", "b.jpg", picture())]
)

#: request, settings -> rules
RULES = [
    (match(), {}, f"{KEPT} {COMPARED}"),
    (match(**UNSAVED), {}, f"credit.unsaved session.unsaved {COMPARED}"),
    (match(picture(score=3)), {}, f"credit.declined {KEPT} {COMPARED}"),
    (match(picture(score=3), **UNSAVED), {}, f"credit.declined session.unsaved {COMPARED}"),
    (
        match(picture(faces=0)),
        {},
        f"credit.declined {KEPT} match.no_pair_alone {FACE}",
    ),
    (match(picture(angle=90)), {}, f"{KEPT} {COMPARED} angle.asked"),
    (match(picture(angle=90), rotate_image="true"), {}, f"{KEPT} {COMPARED}"),
    (match(picture(faces=2)), {}, f"{KEPT} {COMPARED} {SEVERAL}"),
    (match(), {"edition": "2026-03"}, f"{KEPT} match.compared entity.box"),
    (match(key=SANDBOX), {}, f"{CANNED} {FACE}"),
    (match(key=SANDBOX, vendor_data="a"), {}, f"{CANNED} sandbox.echo {FACE}"),
    (request(MATCH, HALF[:-20], TYPE), {}, "form.partial credit.other_status"),
    (liveness(), {}, f"{KEPT} {LOOKED}"),
    (liveness(**UNSAVED), {}, f"credit.unsaved session.unsaved {LOOKED}"),
    (
        liveness(picture(score=None)),
        {},
        f"credit.declined {KEPT} liveness.null_score liveness.declining {FACE}",
    ),
    (
        liveness(picture(faces=0)),
        {},
        f"credit.declined {KEPT} liveness.no_face_alone liveness.declining",
    ),
    (liveness(picture(faces=2)), {}, f"{KEPT} {LOOKED} {SEVERAL}"),
    (liveness(key=SANDBOX), {}, f"{CANNED} {FACE}"),
]
KNOWN = {*" ".join(rules for _, _, rules in RULES).split(), *UNPAID.split()}


def cited(answer):
    """Those of the rules above that an answer names."""
    return {rule for rule in KNOWN if f"didit.{rule}" in answer.claims}


@pytest.mark.parametrize(("sent", "settings", "rules"), RULES, ids=range(len(RULES)))
def test_the_rules_of_an_answer(sent, settings, rules):
    """All of them, and no other."""
    assert cited(didit.new_engine(**settings).handle(sent)) == set(rules.split())


@pytest.mark.parametrize(("sent", "price"), [(match(), "match"), (liveness(), "liveness")])
def test_the_rules_of_a_call_that_cannot_be_paid(ask, sent, price):
    """The price is among them."""
    response = ask(control("ledger/balance", {"balance": "0.001"}), sent)[2]
    assert cited(response) == set(UNPAID.split())
    assert f"didit.credit.price.{price}" in response.claims
