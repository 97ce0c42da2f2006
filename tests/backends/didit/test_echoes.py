"""An answer that repeats what another call sent is no verdict on this one."""

import copy
import json

import pytest

import facematch_core as fm
from facematch_core.backend import CALL_ID_KEY
from facematch_core.http import HttpReply

SENT = {"caller_ref": "customer-17", "retention": fm.Retention.KEEP}


@pytest.fixture
def read(backend, answers, make_call):
    def read(operation=fm.Operation.MATCH, sent=SENT, **shown):
        call = make_call(operation, call_id="call-7", **sent)
        name = "match_approved" if operation is fm.Operation.MATCH else "liveness_declined"
        body = copy.deepcopy(answers[name]) | shown
        return backend.read_reply(call, HttpReply(status=200, body=json.dumps(body).encode()))

    return read


@pytest.mark.parametrize("operation", [fm.Operation.MATCH, fm.Operation.LIVENESS])
@pytest.mark.parametrize(
    "shown",
    [
        {"vendor_data": "customer-18"},
        {"metadata": {CALL_ID_KEY: "call-8"}},
        {"vendor_data": "customer-17", "metadata": {CALL_ID_KEY: "call-8", "shop": 3}},
    ],
    ids=str,
)
def test_an_answer_to_another_call_is_paid_and_no_verdict(read, operation, shown):
    outcome = read(operation, **shown)
    assert type(outcome) is fm.UnexpectedResponse
    assert outcome.billing.charged is fm.Charged.YES
    assert "customer" not in str(outcome)


def test_an_answer_that_repeats_what_was_never_sent_is_another_calls(read):
    assert type(read(sent={}, vendor_data="customer-18")) is fm.UnexpectedResponse
    for nothing in (None, "", " "):
        assert read(sent={}, vendor_data=nothing).is_match


@pytest.mark.parametrize("operation", [fm.Operation.MATCH, fm.Operation.LIVENESS])
@pytest.mark.parametrize(
    "shown",
    [
        {"vendor_data": None, "metadata": None},
        {"vendor_data": " customer-17", "metadata": {CALL_ID_KEY: "call-7"}},
        {"vendor_data": None, "metadata": "of another program"},
    ],
    ids=str,
)
def test_an_answer_that_repeats_the_same_or_nothing_is_one(read, operation, shown):
    assert not isinstance(read(operation, **shown), fm.FaceMatchError)
