"""Whatever goes wrong, the error says nothing of secret, body and headers, nor do its frames."""

import datetime as dt
import re
import traceback

import pytest

from facematch_core import ConfigurationError, InvalidRequest, Secret
from facematch_core.testing.leaks import chain
from facematch_didit.webhooks import WebhookRefused, verify_webhook

CANARY = "canary-7f1d"


class Broken:
    """A `seen` that fails in a way of its own, with its second key."""

    def __init__(self, error, *, from_error=None):
        self.error, self.cause, self.key = error, from_error, None

    def __call__(self, key, until):
        if self.key is None:
            self.key = key
            return True
        try:
            raise self.cause or ValueError("inner")
        except Exception as inner:
            if self.cause:
                raise self.error from inner
            raise self.error  # noqa: B904 - one that does not say `from` is what is tested


class Headers(dict):
    def items(self):
        raise RuntimeError("no items")


def held_by_frames(error):
    """The names and the locals of our frames that an error keeps alive, and its chain."""
    names, held = [], ""
    for link in chain(error):
        held += str(link) + repr(vars(link))
        for frame, _ in traceback.walk_tb(link.__traceback__):
            if "facematch_didit" in frame.f_code.co_filename:
                names.append(frame.f_code.co_name)
                held += repr(frame.f_locals)
    return names, held


BROKEN = [
    (Broken(OSError("disk full")), OSError),
    (Broken(RuntimeError("broken"), from_error=OSError("disk full")), RuntimeError),
    (Broken(KeyboardInterrupt()), KeyboardInterrupt),
    (lambda key, until: CANARY, InvalidRequest),
    (object(), TypeError),
]
ARGUMENTS = [
    ({"now": dt.datetime(2026, 7, 2)}, InvalidRequest),
    ({"tolerance_s": -1}, InvalidRequest),
    ({"headers": [("X-Signature", CANARY)]}, InvalidRequest),
    ({"headers": Headers()}, RuntimeError),
    ({"headers": {7: CANARY}}, WebhookRefused),
    ({"headers": {"X-Signature": {CANARY}}}, InvalidRequest),
    ({"body": f'{{"a":"{CANARY}"}}'}, InvalidRequest),
    ({"secrets": [CANARY, ""]}, ConfigurationError),
    ({"secrets": [CANARY, None]}, ConfigurationError),
    ({"secrets": [CANARY, f"{CANARY}\ud800"]}, ConfigurationError),
    ({"secrets": f"{CANARY}\n"}, ConfigurationError),
    ({"secrets": (CANARY, Secret(f"{CANARY}\n"))}, ConfigurationError),
    ({"secrets": 7}, ConfigurationError),
    ({"secrets": []}, ConfigurationError),
    ({"secrets": ""}, ConfigurationError),
    ({"secrets": (text for text in [CANARY, 1 / 1, ""])}, ConfigurationError),
    ({"secrets": "another-secret"}, WebhookRefused),
    ({"secrets": Secret("another-secret"), "body": b"[]"}, WebhookRefused),
    ({"now": dt.datetime(2027, 1, 1, tzinfo=dt.UTC)}, WebhookRefused),
]
FIELDS = [{"webhook_type": None}, {"session_id": [CANARY]}, {"timestamp": CANARY}]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        *ARGUMENTS,
        *(({"seen": seen}, kind) for seen, kind in BROKEN),
        *(({"fields": fields}, WebhookRefused) for fields in FIELDS),
    ],
    # Without the addresses of objects: every worker of a run must find the same names.
    ids=lambda value: re.sub("0x[0-9a-f]+", "", ascii(value)[:50]),
)
def test_neither_an_error_nor_its_frames_tell_secret_body_or_headers(delivery, changes, kind):
    arguments = dict(changes)
    body = delivery.body(vendor_data=CANARY, **arguments.pop("fields", {}))
    headers = delivery.signed(body)
    usual = {"body": body, "headers": headers, "secrets": delivery.secret, "now": delivery.now}
    with pytest.raises(kind) as raised:
        verify_webhook(**usual | arguments)
    names, held = held_by_frames(raised.value)
    assert names == ["verify_webhook"]
    for private in (CANARY, delivery.secret, "another-secret", headers["X-Signature"]):
        assert private not in held
    assert raised.value.__context__ is None
    if isinstance(raised.value, RuntimeError) and raised.value.__cause__:
        # Who looks after it needs to know; only the frames are gone.
        assert str(raised.value.__cause__) == "disk full"
        assert raised.value.__cause__.__traceback__ is None


def test_no_frame_holds_a_secret_while_seen_runs(delivery):
    names = []

    def curious(key, until):
        for frame, _ in traceback.walk_stack(None):
            if "facematch_didit" in frame.f_code.co_filename:
                names.append(frame.f_code.co_name)
                assert delivery.secret not in repr(frame.f_locals)
        return True

    assert delivery.verify(seen=curious)
    assert "verify_webhook" in names
