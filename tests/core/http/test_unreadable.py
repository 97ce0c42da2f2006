"""What an `UnexpectedResponse` says of an answer that cannot be read, and what it must not say."""

import importlib
import json
import logging
import pickle

import attrs
import pytest
from kit import traces
from kit.fakes import json_reply, match_call
from kit.scripted import ScriptedAdapter
from kit.vendors import PAID

import facematch_core as fm
from facematch_core.testing import Situation, find_leaks
from facematch_core.testing.contract.calls import Recording, replace_value, values_in
from facematch_didit import DiditBackend
from facematch_mock_server import make_card

CANARY = "Canary-Lovelace-18151210"
CANARY_KEY = "canary_key_of_a_customer"

PLUG_IN = """
import attrs

from facematch_core import Billing, Charged, Decision, MatchResult
from facematch_core.http import HttpBackend, HttpRequest


@attrs.frozen(kw_only=True)
class OddBackend(HttpBackend):
    name = "odd"
    base_url: str = "http://127.0.0.1:1"

    def build(self, request):
        return HttpRequest(url=f"{self.base_url}/compare", json={})

    def parse(self, request, reply):
        body = reply.json()
        if body["mistake"] == "of a field":
            body["verdict"]
        if body["mistake"] == "of a word":
            {"same": Decision.MATCH}[body["holder"]]
        float(body["holder"])
"""


@pytest.fixture
def plug_in(tmp_path, monkeypatch, at_end):
    (tmp_path / "odd_plug_in.py").write_text(PLUG_IN)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("odd_plug_in")
    backend = module.OddBackend()
    at_end.callback(backend.close)
    return backend


def read_odd(plug_in, mistake):
    return plug_in.read_reply(match_call(), json_reply({"mistake": mistake, "holder": CANARY}))


@pytest.mark.parametrize(
    ("mistake", "logged", "line"),
    [
        ("of a field", "KeyError('verdict')", 19),
        ("of a word", "KeyError,", 21),
        ("of a number", "ValueError,", 22),
    ],
)
def test_bug_of_a_plug_in_is_a_line_of_its_file_and_no_value(
    mistake, logged, line, plug_in, caplog
):
    with caplog.at_level(logging.DEBUG, "facematch"):
        error = read_odd(plug_in, mistake)
    assert type(error) is fm.UnexpectedResponse
    assert f"odd_plug_in.py, line {line}" in str(error)
    (record,) = (record for record in caplog.records if "plug-in failed" in record.message)
    assert record.levelno == logging.DEBUG
    assert logged in record.message
    assert f"odd_plug_in:{line} in parse" in record.message
    assert record.exc_info is None
    for text in {**traces.of_error(error), **traces.of_log(caplog.records)}.values():
        assert not find_leaks(CANARY, text)


def test_bug_is_not_looked_at_if_nobody_logs_it(plug_in, caplog):
    with caplog.at_level(logging.INFO, "facematch"):
        read_odd(plug_in, "of a field")
    assert not caplog.records


def test_shape_shows_the_names_of_the_plug_in_alone(plug_in):
    assert read_odd(plug_in, "of a field").shape == "{mistake:text holder:text}"
    body = {"holder": [{CANARY_KEY: "1815-12-10"}, {"Ada": "1815-12-10"}], "Bob": 7}
    error = plug_in.read_reply(match_call(), json_reply(body))
    assert error.shape == "{holder:[{*:date}] *:number}"


def test_answer_that_is_no_json_has_no_shape(plug_in):
    for body in (b"", b"<html>", b"\xff"):
        assert plug_in.read_reply(match_call(), json_reply(body)).shape == ""


def with_canary_keys(value):
    """The document with one more field in each object."""
    if isinstance(value, dict):
        fields = {name: with_canary_keys(item) for name, item in value.items()}
        return {**fields, CANARY_KEY: CANARY}
    return [with_canary_keys(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("vendor", PAID)
def test_no_value_of_an_answer_is_in_its_error(vendor, bench_of, caplog):
    bench = bench_of(vendor)
    recording = Recording.of(bench, fm.Operation.MATCH, Situation.SAME_PERSON)
    *before, last = recording.replies
    caplog.set_level(logging.DEBUG, "facematch")
    unreadable = 0
    for path, value in values_in(last.at()):
        if isinstance(value, (dict, list)):
            continue
        document = replace_value(with_canary_keys(last.at()), path, CANARY)
        changed = attrs.evolve(last, body=json.dumps(document).encode())
        error = bench.backend.read_reply(recording.request, *before, changed)
        if not isinstance(error, fm.UnexpectedResponse):
            continue
        unreadable += 1
        assert error.shape
        if error.ids.vendor != CANARY:  # its id is stated on purpose
            for text in traces.of_error(error).values():
                assert not find_leaks(CANARY, text)
                assert not find_leaks(CANARY_KEY, text)
        assert ".py" not in str(error)
    assert unreadable
    for text in traces.of_log(caplog.records).values():
        assert not find_leaks(CANARY_KEY, text)


@pytest.fixture
def didit(at_end):
    def open_didit(body):
        backend = DiditBackend(api_key="key-7f31c9", environment="production")
        backend.client.mount("https://", ScriptedAdapter((200, body)))
        return at_end.enter_context(fm.FaceVerifier(backend))

    return open_didit


@pytest.mark.parametrize(
    ("status", "vendor_status"), [("Approved", "Approved"), ("Approved by Ada", None), (7, None)]
)
def test_status_of_a_failed_call_is_a_word_that_the_plug_in_knows(status, vendor_status, didit):
    block = {"status": status, "score": CANARY, "warnings": []}
    body = {"request_id": "r-7", "face_match": block, "holder": CANARY}
    with pytest.raises(fm.UnexpectedResponse) as caught:
        didit(body).verify(make_card("p1"), make_card("p2"))
    error = caught.value
    assert error.vendor_status == vendor_status
    assert error.ids.vendor == "r-7"
    assert error.call is not None
    for text in traces.of_error(error).values():
        assert not find_leaks(CANARY, text)
    again = pickle.loads(pickle.dumps(error))
    assert (again.vendor_status, again.shape) == (vendor_status, error.shape)
    assert "holder" not in error.shape


@pytest.mark.parametrize("request_id", ["x" * 201, "a\nb", ["r-7"], 7])
def test_id_that_is_none_is_not_on_the_error(request_id, didit):
    body = {"request_id": request_id, "face_match": {}}
    with pytest.raises(fm.UnexpectedResponse) as caught:
        didit(body).verify(make_card("p1"), make_card("p2"))
    assert caught.value.ids.vendor is None
