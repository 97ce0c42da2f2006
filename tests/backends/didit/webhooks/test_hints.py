"""What a delivery hints at: a session to look at, and whose record it was; no verdict."""

import pytest

import facematch_core as fm
from facematch_didit import DiditBackend

OURS = {"id": "0123456789abcdef0123456789abcdef", "terms": "f" * 64}


@pytest.fixture
def receive(delivery):
    """The hints of a delivery of now with these fields."""

    def receive(secrets=("new", delivery.secret), headers=(), **fields):
        now = fm.SystemClock().now()
        at = int(now.timestamp())
        body = delivery.body(timestamp=at, created_at=at, **fields)
        backend = DiditBackend(api_key="k-1", webhook_secrets=secrets)
        return backend.receive_session(body, {**delivery.signed(body), **dict(headers)}, now)

    return receive


def test_the_record_is_that_of_the_signed_metadata(receive):
    (hint,) = receive(metadata=OURS, session_id="s-1", event_id="e-1")
    assert (hint.record_id, hint.session_id, hint.event_id) == (OURS["id"], "s-1", "e-1")
    assert not hint.is_test


@pytest.mark.parametrize(
    "metadata", [None, {}, {"id": "row-7"}, {"id": OURS["id"]}, {"terms": "x"}, "x", [OURS], 7]
)
def test_a_session_of_another_program_has_no_record(metadata, receive):
    (hint,) = receive(metadata=metadata)
    assert hint.record_id is None


def test_what_is_about_no_session_gives_nothing(receive):
    assert receive(session_id=None, webhook_type="user.status.updated") == ()


def test_only_a_signed_word_makes_it_a_test(receive):
    (hint,) = receive(headers={"X-Didit-Test-Webhook": "true"}, metadata=OURS)
    assert not hint.is_test
    (hint,) = receive(metadata={"test_webhook": True})
    assert hint.is_test


def test_a_secret_is_needed_and_the_right_one(receive):
    with pytest.raises(fm.ConfigurationError):
        receive(secrets=())
    with pytest.raises(fm.WebhookRefused) as caught:
        receive(secrets="another")
    assert caught.value.http_status == 401


@pytest.mark.parametrize("secret", ["whsec\n", "", "a b", "\ud800"])
def test_a_secret_that_no_delivery_can_fit_is_refused_when_opened(secret):
    """As that of a file which ends with a line feed."""
    for secrets in (secret, ("whsec", secret), [fm.Secret(secret)]):
        with pytest.raises(fm.ConfigurationError):
            DiditBackend(api_key="k-1", webhook_secrets=secrets)
