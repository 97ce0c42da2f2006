"""A program manages the destinations of its webhooks by Didit's own API."""

import json

import pytest
from kit.mock_webhooks import HOOK, carry
from kit.mock_world import control_of, json_request, new_engine
from vendors import didit

from facematch_core.base.addresses import HINT_HEADER
from facematch_didit import verify_webhook

PATH = "/v3/webhook/destinations/"
GIVEN = {"label": "Shop", "url": HOOK, "subscribed_events": ["status.updated"]}
OTHER = "http://127.0.0.1:9/other"


class Api:
    """Didit's paths of destinations, in a world without any."""

    def __init__(self):
        self.engine = new_engine()

    def ask(self, method="GET", body=None, **more):
        return self.engine.handle(json_request(PATH, body, method=method, **more))

    def create(self, **changes):
        return self.ask("POST", body=GIVEN | changes)

    def call(self):
        self.engine.handle(didit.match_request())


@pytest.fixture
def api():
    return Api()


def test_webhooks_go_to_a_destination_and_are_signed_by_its_secret(api):
    answer = api.create()
    made = answer.json()
    assert answer.status == 201
    assert {name: made[name] for name in GIVEN} == GIVEN
    assert (made["enabled"], made["webhook_version"]) == (True, "v3")
    assert len(made["secret_shared_key"]) == 43
    api.call()
    ((url, letter, _),) = carry(api.engine)
    assert url == HOOK
    now = api.engine.world.clock.now()
    assert verify_webhook(letter.body, dict(letter.headers), made["secret_shared_key"], now)
    assert made["summary"]["total_deliveries"] == 0


def test_list_has_no_secrets(api):
    first = api.create().json()["uuid"]
    second = api.create(url=OTHER, enabled=False).json()["uuid"]
    api.call()
    assert len(carry(api.engine)) == 1
    rows = api.ask().json()
    assert [row["uuid"] for row in rows] == [first, second]
    assert "secret" not in json.dumps(rows)
    assert [row["subscribed_events_count"] for row in rows] == [1, 1]


def test_destination_without_events_gets_nothing(api):
    given = {name: GIVEN[name] for name in ("label", "url")}
    assert api.ask("POST", body=given).json()["subscribed_events"] == []
    api.call()
    assert carry(api.engine) == []


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"subscribed_events": []}, ["At least one subscribed event is required."]),
        ({"subscribed_events": ["foo.bar"]}, ["Unsupported webhook events: foo.bar"]),
        ({"subscribed_events": "x"}, ['Expected a list of items but got type "str".']),
        ({"label": "x" * 256}, ["Ensure this field has no more than 255 characters."]),
        ({"url": None}, ["This field may not be null."]),
        ({"webhook_version": "v9"}, ['"v9" is not a valid choice.']),
    ],
)
def test_invalid_field_is_refused(api, changes, refusal):
    (name,) = changes
    answer = api.create(**changes)
    assert (answer.status, answer.json()) == (400, {name: refusal})
    assert api.ask().json() == []


def test_address_of_another_machine_is_taken_and_gets_nothing(api):
    answer = api.create(url="https://shop.example/hook")
    assert (answer.status, len(answer.json()["secret_shared_key"])) == (201, 43)
    assert "deliver_to" in answer.header(HINT_HEADER)
    api.call()
    assert carry(api.engine) == []


def test_address_of_another_destination_or_none_is_refused(api):
    assert api.create().status == 201
    duplicate = {"url": ["This webhook destination already exists for the application."]}
    assert api.create().json() == duplicate
    for url in ("shop", "http://["):
        assert api.create(url=url).json() == {"url": ["Enter a valid URL."]}
    assert len(api.ask().json()) == 1


def test_other_version_of_the_body_is_kept_and_hinted(api):
    answer = api.create(webhook_version="v2")
    assert answer.json()["webhook_version"] == "v2"
    assert "v3" in answer.header(HINT_HEADER)


def test_destination_of_a_test_is_listed_and_one_of_the_api_is_removed_by_a_test(api):
    webhooks = control_of(api.engine).webhooks
    added = webhooks.add(HOOK)
    created = api.create(url=OTHER).json()
    assert [row["url"] for row in api.ask().json()] == [HOOK, OTHER]
    webhooks.remove(created["uuid"])
    assert [row["uuid"] for row in api.ask().json()] == [added.uuid]


def test_key_is_checked(api):
    assert api.ask(key="wrong").status == 401
    assert api.ask("POST", body=GIVEN, key=None).status == 403
