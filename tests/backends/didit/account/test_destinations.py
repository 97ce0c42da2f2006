"""Webhook destinations: made, listed, changed and removed."""

import pytest

from facematch_core import InvalidRequest

ID = "c0d1e2f3-0a1b-4c2d-8e3f-4a5b6c7d8e9f"
URL = "https://verification.didit.me/v3/webhook/destinations/"
HOOK = "https://shop.example/didit"


def test_made(scripted, answers):
    """All fields are sent, and the secret comes back as one."""
    account, script = scripted((201, answers["destination"]))
    made = account.destinations.create("Main", HOOK, ["status.updated"])
    assert made.secret.reveal() == "signing-secret-4f0c1b9a7e"
    assert script.sent == [
        (
            "POST",
            URL,
            {
                "label": "Main",
                "url": HOOK,
                "subscribed_events": ["status.updated"],
                "enabled": True,
                "webhook_version": "v3",
            },
        )
    ]


@pytest.mark.parametrize("given", [{"enabled": None}, {"version": None}])
def test_nothing_of_a_new_one_is_left_to_chance(given, scripted):
    """None is no value: it would go out as nothing, and Didit would choose."""
    account, script = scripted((201, {}))
    with pytest.raises(InvalidRequest, match=r"is None: a new destination needs one\."):
        account.destinations.create("Main", HOOK, ["status.updated"], **given)
    assert script.seen == []


@pytest.mark.parametrize("paged", [True, False])
def test_listed(paged, scripted, answers):
    """Pages or a bare array, without secrets."""
    del answers["destination"]["secret_shared_key"]
    rows = [answers["destination"]]
    account, script = scripted((200, {"results": rows, "next": None} if paged else rows))
    (found,) = account.destinations.list()
    assert (found.destination_id, found.secret) == (ID, None)
    assert script.sent == [("GET", URL, None)]


def test_looked_at(scripted, answers):
    """By its id."""
    account, script = scripted((200, answers["destination"]))
    assert account.destinations.get(ID).destination_id == ID
    assert script.sent == [("GET", f"{URL}{ID}/", None)]


def test_changed(scripted, answers):
    """Only what is given is sent."""
    account, script = scripted((200, answers["destination"]))
    account.destinations.update(ID, enabled=False, events=["data.updated"])
    assert script.sent == [
        ("PATCH", f"{URL}{ID}/", {"enabled": False, "subscribed_events": ["data.updated"]})
    ]


def test_removed(scripted):
    """Without a word."""
    account, script = scripted((204, b""))
    assert account.destinations.delete(ID) is None
    assert script.sent == [("DELETE", f"{URL}{ID}/", None)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("", HOOK, ["status.updated"]), "label is empty"),
        (("x" * 256, HOOK, ["status.updated"]), "256 characters"),
        (("Main", "shop.example", ["status.updated"]), "url must be an address"),
        (("Main", HOOK, []), "events is empty"),
        (("Main", HOOK, ()), "events is empty"),
        (("Main", HOOK, None), "events is None"),
        (("Main", HOOK, 5), "several texts"),
        ((None, HOOK, ["status.updated"]), "label is None"),
        (("Main", None, ["status.updated"]), "url is None"),
        (("Main", HOOK, "status.updated"), "several texts"),
    ],
)
def test_refused_before_sending(arguments, words, scripted):
    """One sentence each, and nothing on the wire."""
    account, script = scripted((201, {}))
    with pytest.raises(InvalidRequest, match=words):
        account.destinations.create(*arguments)
    assert script.seen == []


@pytest.mark.parametrize(
    ("change", "words"),
    [({}, "at least one"), ({"version": "v4"}, "v1, v2, v3"), ({"enabled": "no"}, "enabled")],
)
def test_changes_that_are_refused(change, words, scripted):
    """As for making one."""
    account, script = scripted((200, {}))
    with pytest.raises(InvalidRequest, match=words):
        account.destinations.update(ID, **change)
    assert script.seen == []
