"""POST /v3/age-estimation/: two boundaries, warnings that all decline, editions."""

import pytest
from mock_didit import LIVENESS_THRESHOLD, control
from mock_didit_faces import MINIMUM, SANDBOX, age, carded, risks, told

from facematch_mock_server.recognition.sheet import make_card

OLD, LOW, UNKNOWN = "AGE_BELOW_MINIMUM", "LOW_LIVENESS_SCORE", "AGE_NOT_DETECTED"


def test_an_answer_has_every_key():
    """Of the largest face, without a race."""
    body = told(carded(), age(make_card("p1", age=34), vendor_data="emp-0042"))
    block = body["age_estimation"]
    assert set(body) == {"request_id", "age_estimation", "vendor_data", "metadata", "created_at"}
    assert set(block) == {
        "status",
        "method",
        "score",
        "user_image",
        "age_estimation",
        "warnings",
    }
    assert (block["status"], block["method"], block["score"]) == ("Approved", "PASSIVE", 97.0)
    assert block["age_estimation"] == 34.0
    (face,) = block["user_image"]["entities"]
    assert set(face) == {"bbox", "confidence", "age", "gender"}


@pytest.mark.parametrize(
    ("card", "fields", "wanted"),
    [
        ({"age": 18}, {}, []),
        ({"age": 17}, {}, [OLD]),
        ({"age": 21}, {MINIMUM: "21"}, []),
        ({"age": 20}, {MINIMUM: "21"}, [OLD]),
        ({"age": 0}, {MINIMUM: "0"}, []),
        ({"age": 34, "liveness": 30}, {}, [LOW]),
        ({"age": 34, "liveness": 31}, {}, []),
        ({"age": 34, "liveness": 31}, {LIVENESS_THRESHOLD: "31"}, [LOW]),
        ({"age": 34, "liveness": None}, {}, [LOW]),
        ({"age": 34, "liveness": None}, {LIVENESS_THRESHOLD: "0"}, [LOW]),
        ({"age": 12, "attack": True}, {}, ["LIVENESS_FACE_ATTACK", OLD]),
        ({"faces": 0}, {}, ["NO_FACE_DETECTED"]),
        ({"age": 34, "faces": 2}, {}, []),
    ],
)
def test_verdicts(card, fields, wanted):
    """An age at the limit passes, a liveness score at its threshold does not; all decline."""
    block = told(carded(), age(make_card("p1", **card), **fields), "age_estimation")
    assert risks(block) == wanted
    assert block["status"] == ("Declined" if wanted else "Approved")
    assert {warning["log_type"] for warning in block["warnings"]} <= {"error"}


def test_words_of_too_young():
    """As the documents have them."""
    (warning,) = told(carded(), age(make_card("p1", age=3)), "age_estimation")["warnings"]
    assert warning["short_description"] == "Age below minimum"
    assert warning["long_description"] == (
        "The age of the face is below the minimum age threshold for the application."
    )
    assert warning["feature"] == "LIVENESS"


@pytest.mark.parametrize(("minimum", "wanted"), [("18", [UNKNOWN]), ("0", [])])
def test_an_age_that_cannot_be_told(minimum, wanted):
    """Set by a test; without a limit it does not matter."""
    engine = carded()
    told(engine, control("outcomes", {"kind": "liveness", "age": None}))
    block = told(engine, age(make_card("p1"), **{MINIMUM: minimum}), "age_estimation")
    assert (block["age_estimation"], risks(block)) == (None, wanted)


def test_an_age_that_a_test_sets():
    """For the next call."""
    engine = carded()
    told(engine, control("outcomes", {"kind": "liveness", "age": "17.99"}))
    block = told(engine, age(make_card("p1", age=40)), "age_estimation")
    assert (block["age_estimation"], risks(block)) == (17.99, [OLD])
    assert block["user_image"]["entities"][0]["age"] == 17.99


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("18.5", "A valid integer is required."),
        ("x", "A valid integer is required."),
        ("101", "Ensure this value is less than or equal to 100."),
        ("-1", "Ensure this value is greater than or equal to 0."),
    ],
)
def test_the_limit_is_a_whole_number(value, words):
    """From 0 to 100, in every edition."""
    answer = carded().handle(age(make_card("p1"), **{MINIMUM: value}))
    assert (answer.status, answer.json()) == (400, {MINIMUM: [words]})


def test_no_picture():
    """400, as in a liveness check."""
    answer = carded().handle(age(b"no picture"))
    assert (answer.status, answer.json()) == (400, {"error": "Invalid user image format."})


def test_without_a_face():
    """Nothing is told of what is not there."""
    block = told(carded(), age(make_card("p1", faces=0)), "age_estimation")
    assert (block["score"], block["age_estimation"]) == (None, None)
    assert block["user_image"] == {"entities": [], "best_angle": None}


def test_a_sandbox_key_is_told_thirty():
    """Whatever the picture and the limit."""
    young = age(make_card("p1", age=3), key=SANDBOX, **{MINIMUM: "99"})
    block = told(carded(), young, "age_estimation")
    assert (block["status"], block["age_estimation"]) == ("Approved", 30)


def test_one_credit_and_a_session():
    """At its own price, under its own service."""
    engine = carded(switches={"price_age": "0.04"})
    told(engine, age(make_card("p1", age=3)))
    ((what, amount),) = [(c.what, str(c.amount)) for c in engine.world.ledger.entries]
    assert (what, amount) == ("AGE_ESTIMATION", "0.04")
    (session,) = engine.world.sessions.all()
    assert (session.service, session.status) == ("AGE_ESTIMATION", "Declined")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"edition": "2026-03"}, "liveness"),
        ({"edition": "2026-11"}, "age_estimation"),
        ({"switches": {"age_key": "liveness"}}, "liveness"),
    ],
)
def test_the_key_of_the_answer(settings, key):
    """Another one in March, or as it is switched."""
    body = told(carded(**settings), age(make_card("p1", age=34)))
    assert body[key]["age_estimation"] == 34.0


@pytest.mark.parametrize("wrong", [-1, 121, True, "old"])
def test_an_age_that_nobody_has(wrong):
    """0-120 years."""
    with pytest.raises(ValueError, match="age of an outcome"):
        carded().world.recognizer.set_outcome("liveness", age=wrong)


def test_an_age_is_no_outcome_of_a_match():
    """Nor is there one without a face."""
    decider = carded().world.recognizer
    with pytest.raises(ValueError, match="not of a match"):
        decider.set_outcome("match", age=30)
    with pytest.raises(ValueError, match="without a face"):
        decider.set_outcome("liveness", faces=0, age=30)
