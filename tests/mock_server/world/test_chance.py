"""Faults that affect a share of the calls, and faults of one vendor."""

import pytest
import requests
from kit.cards import CARDS

from facematch_mock_server import Fault, MockServer

BUSY = {"stage": "answer", "kind": "status", "status": 503}


def struck(client, count=200, **call):
    """Which of so many calls failed."""
    return [client.didit(**call).status_code == 503 for _ in range(count)]


def test_share_of_calls_fails_and_the_same_ones_with_a_seed(open_asking):
    client = open_asking()
    client.control.set_limit("write", None)
    client.control.add_fault(Fault(**BUSY, probability=0.2))
    failed = struck(client)
    assert 25 < sum(failed) < 55
    (left,) = client.control.faults()
    assert (left.times, left.probability) == (None, 0.2)
    again = open_asking()
    again.control.set_limit("write", None)
    again.control.add_fault(Fault(**BUSY, probability=0.2))
    assert struck(again, 60) == failed[:60]
    other = open_asking(seed=6)
    other.control.set_limit("write", None)
    other.control.add_fault(Fault(**BUSY, probability=0.2))
    assert struck(other, 60) != failed[:60]


def test_only_matching_calls_are_counted(open_asking):
    first, second = open_asking(), open_asking()
    for client in (first, second):
        client.control.set_limit("write", None)
        client.control.add_fault(Fault(**BUSY, call="match", probability=0.5))
    failed = struck(first, 40)
    mixed = []
    for _ in range(40):
        assert second.didit(call="liveness").status_code == 200
        mixed += struck(second, 1)
    assert mixed == failed


def test_call_that_chance_spares_gets_the_next_fault(open_asking):
    client = open_asking()
    client.control.set_limit("write", None)
    client.control.add_faults(
        Fault(**BUSY, probability=0.5),
        Fault(stage="answer", kind="html", status=502, times=None),
    )
    statuses = {client.didit().status_code for _ in range(40)}
    assert statuses == {502, 503}


@pytest.mark.parametrize("stage", ["mid_upload", "after_upload", "mid_body"])
def test_each_stage_is_drawn_once_for_a_call(open_asking, stage):
    client = open_asking()
    client.control.set_limit("write", None)
    client.control.add_fault(Fault(stage=stage, kind="reset", probability=0.5))
    lost = 0
    for _ in range(100):
        try:
            client.didit()
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            lost += 1
    # Two draws for a call would strike three of four.
    assert 35 < lost < 65


def test_fault_for_a_card_has_its_own_chance(open_asking):
    client = open_asking()
    client.control.set_limit("write", None)
    client.control.add_fault(Fault(**BUSY, card="p1", probability=0.5))
    assert not any(struck(client, 5, probe="p2", reference="p2"))
    assert 5 < sum(struck(client, 40)) < 35


def test_fault_that_chance_never_used_counts_as_used_once_a_call_matched(open_asking):
    client = open_asking()
    client.control.add_fault(Fault(**BUSY, probability=1e-9))
    assert len(client.control.unused()) == 1
    assert client.didit().status_code == 200
    assert client.control.unused() == ()


@pytest.mark.parametrize("probability", [0, -0.1, 1.1, True, "half"])
def test_invalid_probability_is_rejected(open_asking, probability):
    with pytest.raises(ValueError, match="probability"):
        Fault(**BUSY, probability=probability)
    answer = open_asking().post("/__mock__/faults", json={**BUSY, "probability": probability})
    assert answer.status_code == 400


def test_probability_takes_no_number_of_calls(open_asking):
    with pytest.raises(ValueError, match="leave times out"):
        Fault(**BUSY, probability=0.5, times=3)
    sent = {**BUSY, "probability": 0.05}
    shown = open_asking().post("/__mock__/faults", json=sent).json()
    assert (shown["probability"], shown["times"]) == (0.05, None)


BOTH = ["didit", "compreface"]


def ask_compreface(mock):
    files = dict.fromkeys(("source_image", "target_image"), ("a.png", CARDS["p1"]))
    url = f"{mock.url}/api/v1/verification/verify"
    key = mock.of("compreface").live_key
    return requests.post(url, headers={"x-api-key": key}, files=files, timeout=20)


def ask_didit(mock):
    files = dict.fromkeys(("user_image", "ref_image"), ("a.png", CARDS["p1"]))
    url = f"{mock.url}/v3/face-match/"
    return requests.post(url, headers={"x-api-key": mock.live_key}, files=files, timeout=20)


def test_fault_of_one_vendor_spares_the_others():
    with MockServer(vendor=BOTH) as mock:
        one = mock.of("compreface").control
        one.add_fault(Fault(**BUSY, times=None))
        assert [ask_didit(mock).status_code, ask_compreface(mock).status_code] == [200, 503]
        mock.control.add_fault(Fault(**BUSY, times=None))
        assert ask_didit(mock).status_code == 503
        assert [len(control.faults()) for control in (one, mock.of("didit").control)] == [2, 1]
        one.clear_faults()
        assert (len(mock.control.faults()), ask_compreface(mock).status_code) == (1, 503)
        mock.control.clear_faults()
        url = f"{mock.control_url}compreface/faults"
        shown = requests.post(url, json=BUSY, timeout=20).json()
        assert shown["vendor"] == "compreface"
        assert [ask_didit(mock).status_code, ask_compreface(mock).status_code] == [200, 503]


def test_fault_can_name_a_vendor_of_the_server():
    with MockServer(vendor=BOTH) as mock:
        mock.control.add_fault(Fault(**BUSY, vendor="didit"))
        assert [ask_compreface(mock).status_code, ask_didit(mock).status_code] == [200, 503]
        for fault, words in (
            (Fault(**BUSY, vendor="azure"), "no vendor azure"),
            (Fault(**BUSY, vendor="compreface", call="liveness"), r"liveness|no "),
        ):
            with pytest.raises(ValueError, match=words):
                mock.control.add_fault(fault)
        with pytest.raises(ValueError, match="before the vendor of a request is known"):
            mock.of("didit").control.add_fault(Fault(stage="connect", kind="reset"))


def test_only_vendor_of_a_server_takes_every_fault():
    with MockServer() as mock:
        mock.of("didit").control.add_fault(Fault(stage="connect", kind="reset"))
        with pytest.raises(requests.ConnectionError):
            ask_didit(mock)
