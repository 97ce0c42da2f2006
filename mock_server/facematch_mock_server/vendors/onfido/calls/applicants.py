"""Applicants: create, show and delete."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import MULTIPART, URLENCODED, Response
from facematch_mock_server.vendors.base import Call, is_date, read_or_empty
from facematch_mock_server.vendors.onfido.access import (
    NAME,
    FieldProblems,
    check_text,
)
from facematch_mock_server.vendors.onfido.records import Applicant, OnfidoRecords
from facematch_mock_server.vendors.onfido.wire import ABANDONED, show_time, write_sdk_token
from facematch_mock_server.world import hosted

PATH = "/v3.6/applicants"

#: Its rule for the lines of an address.
_LINE = re.compile(r"[^!$%^*=<>]*")
_COUNTRY = re.compile(r"[A-Z]{3}", re.ASCII)
_ID_TYPES = (
    "ssn",
    "social_insurance",
    "tax_id",
    "identity_card",
    "driving_license",
    "driving_licence",
    "share_code",
    "voter_id",
    "passport",
    "other",
)
_CONSENTS = ("privacy_notices_read", "ssn_verification", "phone_number_verification")

#: Fields that are stored and shown as they were sent.
_PLAIN_FIELDS = ("email", "phone_number")


def check_country(problems: FieldProblems, name: str, value: object) -> None:
    """Add a problem if a country is neither missing nor three capital letters."""
    if value is not None and not (isinstance(value, str) and _COUNTRY.fullmatch(value)):
        problems.add(name, "must be a country's code of three letters")


def show(applicant: Applicant) -> dict[str, Any]:
    """Return an applicant as Onfido shows it."""
    return {
        **applicant.fields,
        "id": applicant.id,
        "created_at": show_time(applicant.created_at),
        "delete_at": None,
        "href": f"{PATH}/{applicant.id}",
        "sandbox": applicant.is_sandbox,
    }


def find_applicant(call: Call) -> Applicant:
    """Return the applicant in the path; refuse the call if it is unknown or was deleted."""
    applicant = find_own_applicant(call, call.path_value)
    if applicant is None:
        # OURS: A token sees what was made with tokens of its environment, live or sandbox; anything
        # else is unknown to it.
        call.refuse("path")
    if applicant.is_deleted:
        call.refuse("applicant.gone")
    return applicant


def find_own_applicant(call: Call, applicant_id: object) -> Applicant | None:
    """Return the applicant, also a deleted one, of the token's environment; None if unknown."""
    records: OnfidoRecords = call.world.records
    applicant = records.applicants.find(str(applicant_id).lower())
    return applicant if applicant is not None and _is_own(call, applicant) else None


def find_active_applicant(call: Call, applicant_id: object) -> Applicant | None:
    """Return the applicant of the token's environment; None if it is unknown or was deleted."""
    applicant = find_own_applicant(call, applicant_id)
    return None if applicant is None or applicant.is_deleted else applicant


def name_of(applicant: Applicant) -> dict[str, str]:
    return hosted.read_name(applicant.fields, "first_name", "last_name")


def _is_own(call: Call, applicant: Applicant) -> bool:
    return applicant.is_sandbox is not call.is_live


def read_applicant(call: Call, problems: FieldProblems, applicant_id: object) -> Applicant:
    """Return the applicant that a field names; refuse the call if there is none."""
    applicant = find_active_applicant(call, applicant_id)
    if applicant is None:
        problems.add("applicant_id", "is unknown")
        problems.refuse(call)
    return applicant


def _check_address(problems: FieldProblems, address: object) -> None:
    """Add the problems of an address, which needs a postcode and a country."""
    if address is None:
        return
    if not isinstance(address, dict):
        problems.add("address", "must be an object")
        return
    for name in ("postcode", "country"):
        if not address.get(name):
            problems.add(f"address.{name}", "can't be blank")
    check_country(problems, "address.country", address.get("country") or None)
    for name in ("line1", "line2", "line3"):
        line = address.get(name)
        if line is not None and not (isinstance(line, str) and _LINE.fullmatch(line)):
            problems.add(f"address.{name}", "has invalid characters")


def _check_items(problems: FieldProblems, body: Mapping[str, Any]) -> None:
    """Add the problems of the ID numbers and the consents, and of the location."""
    location = body.get("location")
    if location is not None and not isinstance(location, dict):
        problems.add("location", "must be an object")
    elif location is not None:
        country = location.get("country_of_residence")
        check_country(problems, "location.country_of_residence", country)
    for name, key, words in (("id_numbers", "type", _ID_TYPES), ("consents", "name", _CONSENTS)):
        items = body.get(name)
        if items is None:
            continue
        is_list = isinstance(items, list) and all(isinstance(item, dict) for item in items)
        if not is_list or any(item.get(key, words[0]) not in words for item in items):
            problems.add(name, f"must be a list of objects with a {key} of Onfido's")
    consents = body.get("consents")
    if "consents" not in problems.texts and consents is not None:
        for consent in consents:
            if "name" not in consent or type(consent.get("granted")) is not bool:
                problems.add("consents", "each needs a name, and granted: true or false")


def _read_fields(call: Call) -> dict[str, Any]:
    """Return the fields of an applicant; refuse wrong ones."""
    body = call.read_object("body.wrong")
    problems = FieldProblems()
    for name in ("first_name", "last_name"):
        value = body.get(name)
        if not isinstance(value, str) or not value:
            problems.add(name, "can't be blank")
        elif not NAME.fullmatch(value):
            problems.add(name, "has invalid characters")
    for name in _PLAIN_FIELDS:
        check_text(problems, name, body.get(name))
    if body.get("dob") is not None and not is_date(body["dob"]):
        problems.add("dob", "must be a date such as 1990-01-31")
    _check_address(problems, body.get("address"))
    _check_items(problems, body)
    # An address needs a postcode and a country; its lines have none of the characters ! $ % ^ * = <
    # >. A country is a code of three letters, of which only the form is checked; dob is a date; an
    # ID number has one of Onfido's types, and a consent its name and granted. How a wrong one is
    # named in fields is ours. Consents are not shown. (Onfido, onfido-openapi-spec, v3.6, commit
    # 1498236)
    problems.refuse_if_any(call)
    stored = ("first_name", "last_name", *_PLAIN_FIELDS, "dob", "address", "location", "id_numbers")
    return {name: body[name] for name in stored if name in body}


def create(call: Call) -> Response:
    """Create an applicant of the key's environment; refuse wrong fields."""
    fields = _read_fields(call)
    applicant = Applicant(
        id=call.world.ids.uuid(),
        fields=fields,
        created_at=call.now,
        is_sandbox=not call.is_live,
    )
    call.world.records.applicants.put(applicant.id, applicant)
    return call.answer("applicant.created", show(applicant))


def read(call: Call) -> Response:
    return call.answer("applicant.shown", show(find_applicant(call)))


def delete(call: Call) -> Response:
    """Archive an applicant, and abandon its open runs."""
    applicant = find_applicant(call)
    # A deleted applicant is archived, and can be restored for the delay of the account; the mock
    # restores none. An applicant without a check is deleted at once; the mock treats a run as a
    # check (our choice). (Onfido, documentation.onfido.com and support.onfido.com)
    archived = attrs.evolve(applicant, is_deleted=True)
    call.world.records.applicants.put(applicant.id, archived)
    for session in hosted.open_sessions(call.world):
        if session.internal_id == applicant.id:
            # Not an act of the person, so no webhook tells of it.
            call.world.sessions.change(
                session.id, lambda run: hosted.with_status(call.world, run, ABANDONED)
            )
    return call.answer("applicant.deleted")


def make_sdk_token(call: Call) -> Response:
    """Make a token with which Onfido's SDK uploads pictures of an applicant."""
    body: Mapping[str, Any]
    if call.request.media_type in (MULTIPART, URLENCODED):
        # POST /sdk_token takes a form, too, as Onfido's guide to its web SDK sends one. (Onfido,
        # onfido-sdk-ui 030dd57, ENTERPRISE_FEATURES.md)
        body = read_or_empty(call).texts
    else:
        body = call.read_object("body.wrong")
    problems = FieldProblems()
    applicant = read_applicant(call, problems, body.get("applicant_id"))
    for name in ("referrer", "application_id", "cross_device_url"):
        check_text(problems, name, body.get(name))
    problems.refuse_if_any(call)
    token = write_sdk_token(applicant.id, call.origin, call.now, hosted.new_token(call.world))
    return call.answer("sdk_token.made", {"token": token})
