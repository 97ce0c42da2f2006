"""/v3/webhook/destinations/: every answer and every refusal."""

import json
import re

import mock_didit as didit
import pytest
from hypothesis import given
from hypothesis import strategies as st

PATH = "/v3/webhook/destinations/"
EVENTS = ["status.updated"]
URL = "https://example.com/hook"
GOOD = {"label": "a", "url": URL, "subscribed_events": EVENTS}
UNKNOWN = f"{PATH}00000000-0000-4000-8000-000000000000/"


@pytest.fixture
def engine():
    """An engine."""
    return didit.new_engine()


def test_a_new_destination(engine, api):
    """All of it, with its secret: 43 characters that need no quoting in an address."""
    status, body = api(engine, PATH, {**GOOD, "webhook_version": "v3", "enabled": True})
    assert status == 201
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", body["secret_shared_key"])
    assert body["created_at"] == body["updated_at"] == "2026-07-02T09:15:27.104233Z"
    assert body["summary"] == {
        "total_deliveries": 0,
        "failed_deliveries": 0,
        "error_rate_percentage": 0.0,
        "min_response_time_ms": None,
        "avg_response_time_ms": None,
        "max_response_time_ms": None,
        "last_delivery_at": None,
    }
    named = {name: body[name] for name in (*GOOD, "enabled", "webhook_version")}
    assert named == {**GOOD, "enabled": True, "webhook_version": "v3"}


def test_the_list_tells_no_secret(engine, api, new):
    """A plain array, the oldest first; one of them is told with its secret again."""
    first, second = new(engine), new(engine, "https://example.com/other")
    status, listed = api(engine, PATH)
    assert status == 200
    assert [one["uuid"] for one in listed] == [first["uuid"], second["uuid"]]
    assert all("secret_shared_key" not in one for one in listed)
    assert api(engine, f"{PATH}{second['uuid']}/") == (200, second)


def test_the_same_seed_has_the_same_secret(api, new):
    """And another one another: a world can be repeated."""
    secrets = [new(didit.new_engine(seed=seed))["secret_shared_key"] for seed in (7, 7, 8)]
    assert secrets[0] == secrets[1] != secrets[2]


def test_a_change_replaces_what_it_names(engine, api, new):
    """Events as a whole; never the secret."""
    made = new(engine, subscribed_events=["status.updated", "data.updated"])
    path = f"{PATH}{made['uuid']}/"
    engine.world.clock.advance(60)
    change = {"subscribed_events": ["activity.created"], "enabled": False}
    status, changed = api(engine, path, change, method="PATCH")
    assert status == 200
    assert changed == {**made, **change, "updated_at": "2026-07-02T09:16:27.104233Z"}
    assert api(engine, path) == (200, changed)


def test_a_destination_may_keep_its_address(engine, api, new):
    """It is not another one's."""
    made = new(engine)
    assert api(engine, f"{PATH}{made['uuid']}/", {"url": URL}, method="PATCH")[0] == 200


def test_a_deletion(engine, api, new):
    """204 without a body; from then on it is unknown, and its address is free."""
    path = f"{PATH}{new(engine)['uuid']}/"
    assert api(engine, path, method="DELETE") == (204, None)
    unknown = (404, {"detail": "Webhook destination not found."})
    assert api(engine, path) == api(engine, path, {}, method="PATCH") == unknown
    assert api(engine, path, method="DELETE") == unknown
    assert api(engine, UNKNOWN) == unknown
    new(engine)


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"label": ...}, {"label": "This field is required."}),
        ({"label": None}, {"label": "This field may not be null."}),
        ({"label": "  "}, {"label": "This field may not be blank."}),
        ({"label": ["a"]}, {"label": "Not a valid string."}),
        (
            {"label": "x" * 256},
            {"label": "Ensure this field has no more than 255 characters."},
        ),
        ({"url": ...}, {"url": "This field is required."}),
        ({"url": "example.com"}, {"url": "Enter a valid URL."}),
        ({"url": "http://example.com/"}, {"url": "The URL must use https and a public host."}),
        ({"url": "https://10.0.0.1/"}, {"url": "The URL must use https and a public host."}),
        ({"enabled": "maybe"}, {"enabled": "Must be a valid boolean."}),
        ({"webhook_version": "v4"}, {"webhook_version": '"v4" is not a valid choice.'}),
        (
            {"subscribed_events": []},
            {"subscribed_events": "At least one subscribed event is required."},
        ),
        (
            {"subscribed_events": ["foo.bar", "status.updated"]},
            {"subscribed_events": "Unsupported webhook events: foo.bar"},
        ),
        (
            {"subscribed_events": "status.updated"},
            {"subscribed_events": 'Expected a list of items but got type "str".'},
        ),
        ({"subscribed_events": [7]}, {"subscribed_events": "Unsupported webhook events: 7"}),
        (
            {"label": ..., "url": ...},
            {"label": "This field is required.", "url": "This field is required."},
        ),
    ],
)
def test_what_is_refused(engine, api, change, faults):
    """Every fault at once, nothing made."""
    body = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    assert api(engine, PATH, body) == (400, {name: [text] for name, text in faults.items()})
    assert api(engine, PATH) == (200, [])


def test_an_address_is_taken_once(engine, api, new):
    """By one application; another one may have it, too."""
    new(engine)
    taken = {"url": ["This webhook destination already exists for the application."]}
    assert api(engine, PATH, GOOD) == (400, taken)
    other = new(engine, "https://example.com/other")
    path = f"{PATH}{other['uuid']}/"
    assert api(engine, path, {"url": URL}, method="PATCH") == (400, taken)
    new(engine, key="mock-sandbox-key")


def test_events_that_are_left_out(engine, api):
    """The destination is made, and subscribes to nothing."""
    body = {name: value for name, value in GOOD.items() if name != "subscribed_events"}
    status, made = api(engine, PATH, body)
    assert (status, made["subscribed_events"]) == (201, [])


def test_flags_as_texts(engine, new):
    """As the framework reads them."""
    assert new(engine, enabled="false")["enabled"] is False


def test_the_loopback_is_taken_by_default(new, api):
    """Else the mock could tell nobody; a switch has it as the vendor does."""
    new(didit.new_engine(), "http://127.0.0.1:8000/hook")
    strict = didit.new_engine(switches={"allow_http_webhooks": False})
    for url in ("http://127.0.0.1:8000/hook", "https://localhost/hook"):
        assert api(strict, PATH, {**GOOD, "url": url})[0] == 400


def test_a_named_host_is_taken_like_the_loopback(new):
    """Another container, say, that has no https."""
    new(didit.new_engine(deliver_to=["web"]), "http://web:8000/hook")


def test_whose_destinations(engine, api, new):
    """The sandbox application has its own; without a key there are none."""
    made = new(engine)
    path = f"{PATH}{made['uuid']}/"
    assert api(engine, PATH, key="mock-sandbox-key") == (200, [])
    assert api(engine, path, key="mock-sandbox-key")[0] == 404
    assert api(engine, PATH, key=None)[0] == 403
    assert api(engine, path, key="wrong")[0] == 403


def test_other_methods_and_bodies(engine, api):
    """As everywhere."""
    assert api(engine, PATH, {}, method="PATCH")[0] == 405
    response = engine.handle(didit.request(PATH, b"{", "application/json"))
    assert (response.status, b"JSON parse error" in response.body) == (400, True)
    assert api(engine, PATH, [])[0] == 400


def test_a_path_without_a_uuid(engine):
    """The router's page, as for sessions."""
    response = engine.handle(didit.request(f"{PATH}seven/", method="GET"))
    assert (response.status, response.header("Content-Type")) == (404, "text/html; charset=utf-8")


def test_no_secret_is_in_a_repr(engine, new):
    """Nor what it is made from."""
    secret = new(engine)["secret_shared_key"]
    (record,) = engine.world.records.outbox.destinations.all()
    assert record.secret == secret
    assert secret not in repr(record)
    assert record.seed not in repr(record)


# The single webhook of an early edition

SINGLE = "/v3/webhook/"


def test_the_single_webhook(api):
    """Its settings, and another secret when it is asked for."""
    engine = didit.new_engine(edition="2026-03")
    status, before = api(engine, SINGLE)
    assert status == 200
    assert before["webhook_url"] is None
    assert re.fullmatch(r"whsec_[A-Za-z0-9_-]{43}", before["secret_shared_key"])
    change = {"webhook_url": URL, "capture_method": "mobile", "data_retention_months": 6}
    assert api(engine, SINGLE, change, method="PATCH") == (200, {**before, **change})
    assert api(engine, SINGLE) == (200, {**before, **change})
    status, rotated = api(engine, SINGLE, {"rotate_secret_key": True}, method="PATCH")
    assert rotated["secret_shared_key"] != before["secret_shared_key"]
    assert "rotate_secret_key" not in rotated
    assert api(engine, SINGLE, {"webhook_url": None}, method="PATCH")[1]["webhook_url"] is None


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"webhook_url": "x"}, {"webhook_url": ["Enter a valid URL."]}),
        ({"webhook_version": "v9"}, {"webhook_version": ['"v9" is not a valid choice.']}),
        ({"webhook_version": None}, {"webhook_version": ["This field may not be null."]}),
        ({"webhook_url": 0}, {"webhook_url": ["Enter a valid URL."]}),
        ({"webhook_url": []}, {"webhook_url": ["Enter a valid URL."]}),
        ({"webhook_url": False}, {"webhook_url": ["Enter a valid URL."]}),
        ({"capture_method": {}}, {"capture_method": ["Not a valid string."]}),
        ({"capture_method": ["x"]}, {"capture_method": ["Not a valid string."]}),
        (
            {"capture_method": "x" * 10_001},
            {"capture_method": ["Ensure this field has no more than 10000 characters."]},
        ),
        (
            {"data_retention_months": "x"},
            {"data_retention_months": ["A valid integer is required."]},
        ),
        (
            {"data_retention_months": [1]},
            {"data_retention_months": ["A valid integer is required."]},
        ),
        (
            {"data_retention_months": 0},
            {"data_retention_months": ["Ensure this value is greater than or equal to 1."]},
        ),
        ({"rotate_secret_key": "maybe"}, {"rotate_secret_key": ["Must be a valid boolean."]}),
    ],
)
def test_what_the_single_webhook_refuses(api, change, faults):
    """Addresses and versions as for destinations; nothing is changed."""
    engine = didit.new_engine(edition="2026-03")
    before = api(engine, SINGLE)
    assert api(engine, SINGLE, change, method="PATCH") == (400, faults)
    assert api(engine, SINGLE) == before


ODD = {
    "no object": b"[]",
    "text": b'"x"',
    "NaN": b'{"capture_method":NaN}',
    "Infinity": b'{"data_retention_months":-Infinity}',
    "beyond": b'{"data_retention_months":1e999}',
    "deep": b'{"capture_method":' + b"[" * 500 + b"]" * 500 + b"}",
    "deeper": b'{"x":' * 90_000 + b"1" + b"}" * 90_000,
}


@pytest.mark.parametrize("what", ODD)
def test_a_body_that_nobody_could_tell_again(api, what):
    """400, and what is read later is as it was."""
    engine = didit.new_engine(edition="2026-03")
    before = api(engine, SINGLE)
    request = didit.request(SINGLE, ODD[what], "application/json", method="PATCH")
    assert engine.handle(request).status == 400
    assert api(engine, SINGLE) == before


@given(
    body=st.dictionaries(
        st.sampled_from(
            [
                "webhook_url",
                "webhook_version",
                "capture_method",
                "data_retention_months",
                "rotate_secret_key",
            ]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
        max_size=3,
    )
)
def test_any_settings_are_answered(body):
    """200 or 400, never a failure, and the settings can be read afterwards."""
    engine = didit.new_engine(edition="2026-03")
    data = json.dumps(body).encode()
    sent = didit.request(SINGLE, data, "application/json", method="PATCH")
    assert engine.handle(sent).status in (200, 400)
    assert engine.handle(didit.request(SINGLE, method="GET")).status == 200


def test_destinations_of_march_are_a_claim(api):
    """They are served beside the single webhook, and the answer says that this is ours."""
    march = didit.new_engine(edition="2026-03")
    answer = march.handle(didit.request(PATH, method="GET"))
    assert "didit.destination.there.early" in answer.claims


def test_the_single_webhook_is_of_one_edition(api, engine):
    """Elsewhere the vendor has no such path; nor is it one of the destinations."""
    assert engine.handle(didit.request(SINGLE, method="GET")).status == 404
    march = didit.new_engine(edition="2026-03")
    api(march, SINGLE, {"webhook_url": URL}, method="PATCH")
    assert api(march, PATH) == (200, [])
