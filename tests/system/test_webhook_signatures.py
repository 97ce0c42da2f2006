"""Webhook signatures: a second implementation, in node, agrees with ours on many bodies."""

import base64
import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.strategies import TEXTS, finite, json_of

from facematch_core import WebhookRefused
from facematch_didit import verify_webhook

SCRIPT = Path(__file__).with_name("webhook_signatures.mjs")
SENT = 1783000006
NOW = dt.datetime.fromtimestamp(SENT, dt.UTC)
#: What is signed, by the name that the script gives it.
SIGNED = {"raw": "X-Signature", "v2": "X-Signature-V2"}
#: What writers of JSON are known to disagree about.
AWKWARD = [
    *(0.0, -0.0, 1.0, 100.0, 1e15, 1e16, 1e21, 1e22, 1e23, 1.7976931348623157e308),
    *(1e-4, 1e-5, 1e-6, 1e-7, 1.5e-7, 1e-10, 5e-324, 0.1, 87.36, 1 / 3, 123456789.125, -2.5e-9),
    *(2**53, 2**53 + 1, -(2**63), 10**40, 0, -1),
    *("", "é", "ü\u2028\u2029", "\x7f", "\x00\x1f\b\f\n\r\t", '"\\/', "\U0001d4b3", "\ufeff"),
    "ﬀ\U0001f600",
    *({}, [], {"": {}}, {"\U0001f600": 1, "\uff00": 2, "é": 3, "z": 4, "Z": 5, "10": 6, "9": 7}),
    *(True, False, None),
]

values = json_of(st.integers(-(10**30), 10**30) | finite)


def secrets_and_bodies():
    about = {"webhook_type": "status.updated", "timestamp": SENT}
    bodies = [json.dumps(about | {"metadata": {"a": value}}) for value in AWKWARD]

    @settings(max_examples=300)
    @given(st.dictionaries(TEXTS, values, max_size=4), st.booleans())
    def make(metadata, ascii_only):
        document = {"metadata": metadata, **about}
        bodies.append(json.dumps(document, ensure_ascii=ascii_only, indent=1))

    make()
    return [(f"secret-{number}", body.encode()) for number, body in enumerate(bodies)]


@pytest.fixture(scope="module")
def signed(find_program, run_command):
    sent = secrets_and_bodies()
    texts = ((secret, base64.b64encode(body).decode()) for secret, body in sent)
    lines = [json.dumps({"secret": secret, "body": text}) for secret, text in texts]
    printed = run_command(find_program("node"), SCRIPT, input="\n".join(lines)).splitlines()
    assert len(printed) == len(sent) > 300
    return [(*row, json.loads(line)) for row, line in zip(sent, printed, strict=True)]


@pytest.mark.parametrize("name", SIGNED)
def test_a_signature_made_by_node_verifies_with_its_secret_only(signed, name):
    for secret, body, signature in signed:
        assert verify_webhook(body, {SIGNED[name]: signature[name]}, secret, NOW)
        with pytest.raises(WebhookRefused):
            verify_webhook(body, {SIGNED[name]: signature[name]}, "another", NOW)
