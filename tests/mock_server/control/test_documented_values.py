"""`DocumentedValues`: which fields have them is told by the definitions in the vendors' clients."""

import copy
import re

import pytest
from kit import mock_sessions
from kit.definitions import judge
from kit.definitions.choices import choices_of
from kit.mock_world import json_bytes
from kit.scenario import Scenario
from vendors import azure, rekognition, stripe, tencent

from facematch_mock_server import SetValue
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.vendors.azure.calls import preview
from facematch_mock_server.vendors.base import MockVendor

VENDORS = {
    "azure": azure,
    "rekognition": rekognition,
    "stripe": stripe,
    "tencent": tencent,
}
#: What else decides a field, whose values therefore cannot be set: by a pattern of its place.
SET_OTHERWISE = {
    "azure": {
        ".*isIdentical|.*livenessDecision|status": "an outcome, or a decision",
        ".*modelVersionUsed": "the version in the path",
        ".*sessionExpired": "the clock",
    },
    "rekognition": {
        "Status": "a session",
        ".*Landmarks.*Type": "each landmark has its own",
        "Unsuccessful.*": "what was asked for",
    },
    "stripe": {
        ".*status|.*error.code": "sessions.finish",
        ".*object": "one value",
        "(.*[.])?type": "what was asked for",
        ".*livemode": "the key",
        ".*options.*": "what was asked for",
        ".*has_more": "the number of sessions",
    },
    "tencent": {"Response.IsMatch": "an outcome"},
}


def with_attributes(names, query=""):
    return azure.detect_request(query=f"returnFaceAttributes={names}&{query}")


def azure_steps():
    liveness, _ = preview.session_paths(preview.VERSIONS[0])
    fields = {"livenessOperationMode": "Passive", "deviceCorrelationId": "a device"}
    return (
        azure.azure_request(liveness, json_bytes(fields), azure.JSON),
        mock_sessions.acting(1, "card", card="p1"),
        azure.on_only(liveness),
    )


def rekognition_steps():
    people = {"CollectionId": "people"}
    image = rekognition.image(rekognition.card("p1", faces=2))
    indexing = {"Image": image, "MaxFaces": 1, "DetectionAttributes": ["ALL"]}
    return (
        rekognition.signed_request(people, "CreateCollection"),
        rekognition.signed_request({**people, **indexing}, "IndexFaces"),
    )


def stripe_steps():
    numbered = {"type": "document", "options[document][require_id_number]": "true"}
    return (
        stripe.starting(numbered),
        mock_sessions.acting(1, "card", card="p1", document="p1"),
        stripe.reading(1, "verified_outputs", "last_verification_report"),
        stripe.reading_report(1),
        stripe.stripe_request(stripe.REPORTS),
    )


#: Calls by which more fields come than by those of claims/test_cited.py.
MORE = {
    "azure": [
        Scenario("azure", azure_steps(), recognizer=Recognizer()),
        Scenario(
            "azure",
            (
                with_attributes("glasses,occlusion,blur,exposure,noise"),
                with_attributes("mask", "detectionModel=detection_03"),
                with_attributes("qualityForRecognition", "recognitionModel=recognition_04"),
            ),
        ),
    ],
    "rekognition": [Scenario("rekognition", rekognition_steps(), recognizer=Recognizer())],
    "stripe": [Scenario("stripe", stripe_steps(), recognizer=Recognizer())],
    "tencent": [
        Scenario("tencent", (tencent.detect_request(fields={"NeedFaceAttributes": 1}),)),
    ],
}


@pytest.fixture(params=VENDORS)
def vendor(request):
    return request.param


@pytest.fixture
def answers(vendor, monkeypatch):
    """Return the answers of a vendor: the call's name and operation, and the answer."""
    definition = judge.definition_of(vendor)
    found = []
    handle = MockVendor.handle

    def handle_and_keep(self, request):
        answer = handle(self, request)
        operation = definition.find(request)
        is_own = operation is not None and judge.is_own(self.world, request, answer)
        if is_own and answer.status < 300 and answer.body.startswith((b"{", b"[")):
            found.append((self.name_of_call(request), operation, answer))
        return answer

    monkeypatch.setattr(MockVendor, "handle", handle_and_keep)
    for scenario in [*VENDORS[vendor].scenarios(), *MORE.get(vendor, ())]:
        scenario.play()
    assert found
    return found


def rules_of(vendor):
    for call, fields in vendor_named(vendor).documented_values.items():
        for field, values in fields.items():
            for value in values:
                yield SetValue(call=call, field=field, value=value)


def test_vendors_with_values_are_those_whose_clients_list_some():
    assert {name for name in vendor_names() if list(rules_of(name))} == set(VENDORS)


def test_each_value_comes_and_is_the_definitions(vendor, answers):
    definition = judge.definition_of(vendor)
    for rule in rules_of(vendor):
        allowed = None
        for call, operation, answer in answers:
            body = answer.json()
            if not rule.fits(call) or not rule.put_into(body):
                continue
            changed = copy.copy(answer)
            changed.body = json_bytes(body)
            allowed, values = choices_of(definition, operation, changed)[rule.field]
            assert values == {rule.value}
        assert allowed is not None, f"no answer has {rule.field} of {rule.call}"
        assert rule.value in allowed


def test_each_field_with_documented_values_can_be_set(vendor, answers):
    definition = judge.definition_of(vendor)
    rules = list(rules_of(vendor))
    unset = set()
    for call, operation, answer in answers:
        for place, (allowed, _) in choices_of(definition, operation, answer).items():
            settable = {rule.value for rule in rules if rule.fits(call) and rule.field == place}
            assert settable in (set(), allowed), (call, place)
            if not settable:
                unset.add(place)
    reasons = dict.fromkeys(SET_OTHERWISE.get(vendor, ()), 0)
    for place in unset:
        patterns = [pattern for pattern in reasons if re.fullmatch(pattern, place)]
        assert patterns, f"{place} is in no DocumentedValues of {vendor}"
        reasons[patterns[0]] += 1
    assert all(reasons.values()), reasons
