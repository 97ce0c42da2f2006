"""Faults that affect a share of the calls, and faults of one vendor."""

import pytest
import requests
from kit.cards import CARDS

from facematch_mock_server import Fault

BUSY = {"stage": "answer", "kind": "status", "status": 503}


@pytest.fixture
def open_struck(open_asking):
    """Opens a mock without rate limits, whose calls these faults strike."""

    def open_one(*faults, **settings):
        client = open_asking(**settings)
        client.control.set_limit("write", None)
        client.control.add_faults(*faults)
        return client

    return open_one


def struck(client, count, **call):
    """Return of each of so many calls whether it failed."""
    return [client.didit(**call).status_code == 503 for _ in range(count)]


def test_share_of_calls_fails_and_the_same_ones_with_a_seed(open_struck):
    fault = Fault(**BUSY, probability=0.2)
    client = open_struck(fault)
    failed = struck(client, 200)
    assert 25 < sum(failed) < 55
    (left,) = client.control.faults()
    assert (left.times, left.probability) == (None, 0.2)
    assert struck(open_struck(fault), 60) == failed[:60]
    assert struck(open_struck(fault, seed=6), 60) != failed[:60]


def test_only_matching_calls_are_counted(open_struck):
    fault = Fault(**BUSY, call="match", probability=0.5)
    failed = struck(open_struck(fault), 40)
    mixed = open_struck(fault)
    for has_failed in failed:
        assert mixed.didit(call="liveness").status_code == 200
        assert struck(mixed, 1) == [has_failed]


def test_call_that_chance_spares_gets_the_next_fault(open_struck):
    client = open_struck(
        Fault(**BUSY, probability=0.5),
        Fault(stage="answer", kind="html", status=502, times=None),
    )
    statuses = {client.didit().status_code for _ in range(40)}
    assert statuses == {502, 503}


@pytest.mark.parametrize("stage", ["mid_upload", "after_upload", "mid_body"])
def test_each_stage_is_drawn_once_for_a_call(open_struck, stage):
    client = open_struck(Fault(stage=stage, kind="reset", probability=0.5))
    lost = 0
    for _ in range(100):
        try:
            client.didit()
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            lost += 1
    # Two draws for a call would strike three of four.
    assert 35 < lost < 65


def test_fault_for_a_card_has_its_own_chance(open_struck):
    client = open_struck(Fault(**BUSY, card="p1", probability=0.5))
    assert not any(struck(client, 5, probe="p2", reference="p2"))
    assert 5 < sum(struck(client, 40)) < 35


def test_fault_that_chance_never_used_counts_as_used_once_a_call_matched(open_asking):
    client = open_asking()
    client.control.add_fault(Fault(**BUSY, probability=1e-9))
    assert len(client.control.unused()) == 1
    assert client.didit().status_code == 200
    assert client.control.unused() == ()


@pytest.mark.parametrize("probability", [0, -0.1, 1.1, True, "half"])
def test_invalid_probability_is_rejected(probability):
    with pytest.raises(ValueError, match="probability"):
        Fault(**BUSY, probability=probability)


def test_probability_takes_no_number_of_calls(asking):
    with pytest.raises(ValueError, match="leave times out"):
        Fault(**BUSY, probability=0.5, times=3)
    shown = asking.post("/__mock__/faults", json={**BUSY, "probability": 0.05}).json()
    assert (shown["probability"], shown["times"]) == (0.05, None)


def status_of(asking, vendor):
    """Compare two pictures at one vendor of a server; return the status."""
    if vendor == "didit":
        return asking.didit().status_code
    files = dict.fromkeys(("source_image", "target_image"), ("a.png", CARDS["p1"]))
    headers = {"x-api-key": asking.mock.of(vendor).live_key}
    url = "/api/v1/verification/verify"
    return asking.post(url, headers=headers, files=files).status_code


@pytest.fixture
def both(open_asking):
    return open_asking(vendor=["didit", "compreface"])


def test_fault_of_one_vendor_spares_the_others(both):
    of_didit, of_compreface = (both.mock.of(name).control for name in ("didit", "compreface"))
    of_compreface.add_fault(Fault(**BUSY, times=None))
    assert (status_of(both, "didit"), status_of(both, "compreface")) == (200, 503)
    both.control.add_fault(Fault(**BUSY, times=None))
    assert status_of(both, "didit") == 503
    assert (len(of_compreface.faults()), len(of_didit.faults())) == (2, 1)
    of_compreface.clear_faults()
    assert (len(both.control.faults()), status_of(both, "compreface")) == (1, 503)
    both.control.clear_faults()
    added = both.post("/__mock__/compreface/faults", json=BUSY).json()
    assert added["vendor"] == "compreface"
    assert (status_of(both, "didit"), status_of(both, "compreface")) == (200, 503)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vendor": "azure"}, "no vendor azure"),
        ({"vendor": "compreface", "call": "liveness"}, r"liveness|no "),
    ],
)
def test_fault_can_name_a_vendor_of_the_server(both, changes, words):
    both.control.add_fault(Fault(**BUSY, vendor="didit"))
    assert (status_of(both, "compreface"), status_of(both, "didit")) == (200, 503)
    with pytest.raises(ValueError, match=words):
        both.control.add_fault(Fault(**BUSY, **changes))


def test_vendor_beside_others_has_no_fault_before_it_is_known(both, asking):
    before = Fault(stage="connect", kind="reset")
    with pytest.raises(ValueError, match="before the vendor of a request is known"):
        both.mock.of("didit").control.add_fault(before)
    asking.mock.of("didit").control.add_fault(before)
    with pytest.raises(requests.ConnectionError):
        asking.didit()
