"""Webhook signatures: a second implementation, in node, agrees with ours on many bodies."""

import base64
import datetime as dt
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_core import WebhookRefused
from facematch_didit import verify_webhook

SCRIPT = Path(__file__).with_name("webhook_signatures.mjs")
SENT = 1783000006
NOW = dt.datetime.fromtimestamp(SENT, dt.UTC)
#: What is signed, by the name that the script gives it.
SIGNED = {"raw": "X-Signature", "v2": "X-Signature-V2"}
#: A body of the documents whose three signatures are known.
VECTOR = (
    '{"application_id":"5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00","created_at":1783000000,'
    '"environment":"live","event_id":"0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10",'
    '"metadata":{"a":[1.5,true],"b":2},"session_id":"7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",'
    '"status":"Declined","timestamp":1783000006,"vendor_data":"user-\\u00e9",'
    '"webhook_type":"status.updated"}'
)

#: What writers of JSON are known to disagree about.
AWKWARD = [
    *(0.0, -0.0, 1.0, 100.0, 1e15, 1e16, 1e21, 1e22, 1e23, 1.7976931348623157e308),
    *(1e-4, 1e-5, 1e-6, 1e-7, 1.5e-7, 1e-10, 5e-324, 0.1, 87.36, 1 / 3, 123456789.125, -2.5e-9),
    *(2**53, 2**53 + 1, -(2**63), 10**40, 0, -1),
    *(
        "",
        "é",
        "ü\u2028\u2029",
        "\x7f",
        "\x00\x1f\b\f\n\r\t",
        '"\\/',
        "\U0001d4b3",
        "\ufeff",
        "ﬀ\U0001f600",
    ),
    *({}, [], {"": {}}, {"\U0001f600": 1, "\uff00": 2, "é": 3, "z": 4, "Z": 5, "10": 6, "9": 7}),
    *(True, False, None),
]

texts = st.text(st.characters(codec="utf-8"), max_size=10)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)


def bodies():
    about = {"webhook_type": "status.updated", "timestamp": SENT}
    bodies = [VECTOR]
    bodies += [json.dumps(about | {"metadata": {"a": value}}) for value in AWKWARD]

    @settings(max_examples=300)
    @given(st.dictionaries(texts, values, max_size=4), st.booleans())
    def make(metadata, ascii_only):
        document = {"metadata": metadata, **about}
        bodies.append(json.dumps(document, ensure_ascii=ascii_only, indent=1))

    make()
    return [(f"secret-{number}", body.encode()) for number, body in enumerate(bodies)]


@pytest.fixture(scope="module")
def signed(find_program, run_command):
    """Every body with its secret and the signatures of the script."""
    sent = bodies()
    lines = [
        json.dumps({"secret": secret, "body": base64.b64encode(body).decode()})
        for secret, body in sent
    ]
    printed = run_command(find_program("node"), SCRIPT, input="\n".join(lines)).splitlines()
    assert len(printed) == len(sent) > 300
    return [(*row, json.loads(line)) for row, line in zip(sent, printed, strict=True)]


@pytest.mark.parametrize("name", SIGNED)
def test_what_node_signs_verifies(signed, name):
    for secret, body, signature in signed:
        assert verify_webhook(body, {SIGNED[name]: signature[name]}, secret, NOW)


@pytest.mark.parametrize("name", SIGNED)
def test_with_the_secret_of_another_body_it_is_refused(signed, name):
    for (_, body, signature), (secret, _, _) in itertools.pairwise(signed):
        with pytest.raises(WebhookRefused):
            verify_webhook(body, {SIGNED[name]: signature[name]}, secret, NOW)


def test_node_gives_the_signatures_of_the_vector(find_program, run_command):
    line = {
        "secret": "didit-mock-webhook-secret",
        "body": base64.b64encode(VECTOR.encode()).decode(),
    }
    printed = run_command(find_program("node"), SCRIPT, input=json.dumps(line))
    assert json.loads(printed) == {
        "raw": "b54dae03996e6f1f8b0397e45acfb9dd8d899d3f8117fcafc13821b84ad1b0b8",
        "v2": "ccccda7ef828d341d52739f18a82b80543b0812b4f33202abd96a958c716992c",
        "simple": "ca364abfbf9d7e6ed165d019f57472558b0085211d5a525756df4a3c563f69ac",
    }
