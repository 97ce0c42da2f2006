"""Real answers that others recorded, as shapes in tests/recorded, and how a mock differs from them.

A shape's ``body`` is one line: ``id:uuid tags:[] status:"open" person{name:text|null}`` is an
object with an id, an empty list, a word that the vendor sent, and an object in it. ``items[]`` is
each item of a list, ``.`` the whole body, and ``*`` in a word any text.
"""

import datetime as dt
import functools
import json
import re
import tomllib
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from kit.first_calls import call_at, variables_of
from requests.structures import CaseInsensitiveDict

from facematch_core.backend.shapes import shape_of
from facematch_mock_server import MockServer
from facematch_mock_server.first_calls import __main__ as first_calls
from facematch_mock_server.first_calls.plans import pictures_of, read_plan
from facematch_mock_server.replies.json_path import parse_json_path
from facematch_mock_server.vendors import vendor_names
from facematch_mock_server.world.clock import VirtualClock

FOLDER = Path(__file__).parents[1] / "recorded"
VENDORS = sorted({file.stem for file in FOLDER.glob("*.toml")} & {*vendor_names()})
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d\.?(\d*)(\S*)")
#: Forms that say more than those of `shape_of`; ``*`` is the number of characters.
_FORMS = {
    "text": r"-?\d+\.\d+",
    "UUID": r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}",
    "seconds,uuid": r"\d{10},[0-9a-f-]{36}",
    "base64-*": r"[A-Za-z0-9+/]{22}==",
    "hex*": r"[0-9a-f]{24,}",
    "HEX*": r"[0-9A-F]{24,}",
}
_TOKEN = re.compile(r'\}|([^\s{}:"]*):((?:"(?:\\.|[^"\\])*"|\{\}|[^\s{}"])+)|([^\s{}:"]+)\{')
_VALUE = re.compile(r'"(?:\\.|[^"\\])*"|[^|]+')
_TYPES = {form: form for form in ("null", "boolean", "bytes", "[]", "{}")}
_TYPES |= {"int": "number", "float": "number"}
#: Forms of a text that may be any.
_FREE = {"text", "url"}
#: Fields with what the customer sent.
_OF_CUSTOMER = {"client_reference_id", "metadata", "vendorData"}


class Facts:
    """The forms and the words of an answer, by place such as ``items[].name``; its own is empty."""

    def __init__(self):
        self.forms = defaultdict(set)
        self.words = defaultdict(set)

    def add(self, place, value):
        """Add a value, and what is in it."""
        self.forms[place].add(form_of(value))
        if isinstance(value, dict):
            for name, item in value.items():
                # A dot in a name would be read as a step.
                self.add(f"{place}.{name.replace('.', '/')}".strip("."), item)
        elif isinstance(value, list):
            for item in value:
                self.add(f"{place}[]", item)
        else:
            self.words[place].add(json.dumps(value, ensure_ascii=False, default=repr))


def form_of(value):
    """Return the form of a value: ``{}``, ``[]``, ``null``, ``float.3``, ``time.6Z``, ``hex32``."""
    if isinstance(value, (dict, list)):
        return json.dumps(type(value)())
    if isinstance(value, float):
        return f"float.{len(repr(value).partition('.')[2].partition('e')[0])}"
    if type(value) in (int, bytes):
        return type(value).__name__
    text = value if isinstance(value, str) else ""
    if time := _TIME.fullmatch(text):
        letter, fraction, zone = time.groups()
        return f"time{'' if letter == 'T' else '_'}.{len(fraction)}{zone}".replace(".0", "")
    for form, pattern in _FORMS.items():
        if re.fullmatch(pattern, text):
            return form.replace("*", str(len(text)))
    return shape_of(value, ())


def read_body(line):
    """Return the facts that a line says."""
    facts = Facts()
    path = []
    for token in _TOKEN.finditer(line):
        name, values, opened = token.groups()
        if values is None:
            path = [*path, opened] if opened else path[:-1]
            continue
        place = ".".join(filter(None, [*path, name])).strip(".")
        for value in _VALUE.findall(values):
            if value.startswith(('"', "=")):
                word = value.removeprefix("=")
                facts.words[place].add(word)
                facts.forms[place].add(form_of(json.loads(word)))
            else:
                facts.forms[place].add(value)
        while place:
            kind = "[]" if place.endswith("[]") else "{}"
            place = _parent(place)
            facts.forms[place].add(kind)
    return facts


@attrs.frozen
class Shape:
    """A real answer.

    Attributes:
        call: The name of the call in the vendor's first_calls.toml.
        at: The JSONPath of what was recorded in the mock's answer.
        seen: ``BY | DATE | SOURCE`` of each answer; the source of several alike is ``3 public
            files``.
        headers: ``name`` or ``name: value``, in lower case, under the name of their list, which
            several shapes may share; else under that of the call.
        partial: Whether somebody quoted only a part.
        batch: 1 if the mocks were mended by it, and 2 if it came after that.
        backend: What a backend of ours reads of it: ``match SITUATION``, ``session CASE`` or
            ``liveness CASE`` (of a session that compares with nothing), and the names on the way to
            its part of the answer; empty if nothing.
    """

    call: str
    seen: list[str]
    facts: Facts = attrs.field(converter=read_body)
    at: str = "$"
    headers: tuple[str, list[str]] = ("", [])
    status: int | None = None
    partial: bool = False
    note: str = ""
    backend: str = ""
    batch: int = 1


def read_table(name):
    """Return a file of this folder, by its name without ``.toml``."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


def read_shapes(vendor):
    """Return the shapes of a vendor's real answers, in the order of its file."""
    document = read_table(vendor)
    shapes = []
    for row in document["shape"]:
        headers = row.get("headers", [])
        is_shared = isinstance(headers, str)
        row["headers"] = (headers, document[headers]) if is_shared else (row["call"], headers)
        shapes.append(Shape(facts=row.pop("body"), **row))
    return shapes


def play(vendor):
    """Return the mock's answers to the calls that a shape names, by name, and its documented words.

    The calls are those of the vendor's first_calls.toml; a call that could not be made has none.
    The status of a webhook is None.
    """
    plan = read_plan(vendor)
    named = {shape.call for shape in read_shapes(vendor)}
    plan["call"] = [call for call in plan["call"] if call["name"] in named or "keep" in call]
    plan["call"] += plan["at_mock"]
    answers = {}
    words = {}
    # All decimals of a time are there.
    clock = VirtualClock(dt.datetime.now(dt.UTC).replace(microsecond=123_457))
    with MockServer(vendor=vendor, clock=clock) as mock, pytest.MonkeyPatch.context() as patch:
        call_at(mock, patch, variables_of(vendor))
        for call, reply in first_calls.make_calls(vendor, plan, pictures_of(plan, ())):
            if not isinstance(reply, KeyError):
                answers[call["name"]] = _read_answer(reply)
        for fields in mock.control.documented_values().values():
            for place, values in fields.items():
                words.setdefault(place, set()).update(map(json.dumps, values))
    return answers, words


def _read_answer(reply):
    try:
        document = reply.json()
    except ValueError:
        document = reply.content or None
    if "/webhooks/deliveries/" not in reply.url:
        return SimpleNamespace(status=reply.status_code, headers=reply.headers, document=document)
    headers = CaseInsensitiveDict(document["headers"])
    return SimpleNamespace(status=None, headers=headers, document=json.loads(document["body"]))


def facts_at(answer, place):
    """Return the facts of the part of an answer at a place; none if it has no such part."""
    facts = Facts()
    for match in parse_json_path(place).find(answer.document):
        facts.add("", match.value)
    return facts


def shapes_read_as(*kinds):
    """Return each vendor and shape that a backend reads in one of these ways."""
    shapes = [(vendor, shape) for vendor in VENDORS for shape in read_shapes(vendor)]
    return [each for each in shapes if each[1].backend.startswith(kinds)]


@functools.cache
def judge(vendor):
    """Return each shape of a vendor with the differences of the mock from it.

    A difference is a call or a list of headers, a kind, and the header or place in the body. The
    kind is ``answer`` if the mock has none, ``status``, ``header``, ``absent`` for a field that
    only the real answer has, ``extra`` for one that only the mock has, ``type``, ``null``,
    ``form``, ``decimals`` or ``word``.
    """
    answers, documented = play(vendor)
    shapes = read_shapes(vendor)
    judged = []
    for shape in shapes:
        words = {place: {*values} for place, values in documented.items()}
        for answer in answers.values():
            for place, values in facts_at(answer, shape.at).words.items():
                words.setdefault(place, set()).update(values)
        siblings = [each for each in shapes if each.call == shape.call]
        found = compare(shape, answers.get(shape.call), siblings, words)
        judged.append((shape, list(dict.fromkeys(found))))
    return judged


def compare(shape, answer, siblings, words):
    """Yield call, kind and place of each difference; of another status or no answer only that.

    A field is extra if several real answers to the call lack it, or one that a program recorded. A
    word is no difference if the mock can send it at its place.
    """
    if answer is None:
        yield shape.call, "answer", "."
        return
    if shape.status not in (None, answer.status):
        yield shape.call, "status", "."
        return
    owner, headers = shape.headers
    for line in headers:
        name, _, value = line.partition(": ")
        if name not in answer.headers or value not in ("", answer.headers[name]):
            yield owner, "header", name
    forms = facts_at(answer, shape.at).forms
    for kind, place in [
        *_compare_forms(shape.facts.forms, forms),
        *_list_extras(siblings, forms),
        *_list_unknown_words(shape.facts, forms, words),
    ]:
        yield shape.call, kind, place


def _compare_forms(real, mock):
    """Yield kind and place of each difference in the forms."""
    for place, forms in real.items():
        if place in mock:
            if kind := _kind_of(forms, mock[place]):
                yield kind, place
        elif _has_parts(_parent(place), mock):
            yield "absent", place


def _list_extras(shapes, forms):
    """Yield each place that the mock alone has, if enough real answers show that."""
    whole = [each for each in shapes if not each.partial]
    seen = [source.split(" | ") for each in whole for source in each.seen]
    # A source such as "3 public files" is three answers with the same words.
    count = sum(int(re.match(r"\d*", source)[0] or 1) for _, _, source in seen)
    if count > 1 or any(by in ("recorded", "library") for by, _, _ in seen):
        real = {place for each in whole for place in each.facts.forms}
        for place in forms:
            if place not in real and _has_parts(_parent(place), real):
                yield "extra", place


def _list_unknown_words(facts, forms, words):
    """Yield each place that the mock has, and at which it cannot send a word of the real answer."""
    for place, real in facts.words.items():
        for word in real if place in forms else ():
            pattern = ".*".join(map(re.escape, word.split("*")))
            if not any(re.fullmatch(pattern, each) for each in words.get(place, ())):
                yield "word", place


def _kind_of(real, mock):
    """Return how the forms of a place differ; None if they may be forms of one field."""
    real_types, mock_types = (set(map(_type_of, forms)) for forms in (real, mock))
    common = real_types & mock_types
    if not common:
        return "null" if "null" in real_types | mock_types else "type"
    if common == {"number"}:
        of_real, of_mock = (max(map(_decimals_of, forms)) for forms in (real, mock))
        return "decimals" if 2 <= of_real <= 12 and abs(of_real - of_mock) >= 2 else None
    is_form = common == {"text"} and not real & mock and not (real & _FREE and mock & _FREE)
    return "form" if is_form else None


def _type_of(form):
    """Return the JSON type of a value with this form."""
    name = form.partition(".")[0]
    return _TYPES.get(name, "text")


def _decimals_of(form):
    return int(form.partition(".")[2] or 0)


def _parent(place):
    """Return the place of the list or object that a place is in."""
    return re.sub(r"(\[\]|(^|\.)[^.\[\]]*)$", "", place)


def _has_parts(place, places):
    """Return whether one of these places is in the list or object at this one."""
    return any(_parent(each) == place for each in places if each)


def fill(shape, value, place=""):
    """Return a mock's document in the form of a real one: what a whole one lacks is left out.

    What the customer itself sent stays, for it names the session.
    """
    forms = shape.facts.forms
    if forms.get(place) in ({"null"}, {"empty"}):
        return "" if "empty" in forms[place] else None
    if isinstance(value, list):
        return [fill(shape, item, f"{place}[]") for item in value]
    if not isinstance(value, dict):
        return value
    filled = {}
    for name, item in value.items():
        at = f"{place}.{name}" if place else name
        if name in _OF_CUSTOMER:
            filled[name] = item
        elif shape.partial or at in forms or not _has_parts(place, forms):
            filled[name] = fill(shape, item, at)
    return filled


def listed(table, vendor):
    """Return the differences that a table has of a vendor."""
    calls = table.get(vendor, {}).items()
    return {(call, *line.split(" ", 1)) for call, lines in calls for line in lines}
