"""Real answers that others recorded, as shapes in tests/recorded, and how a mock differs from them.

A shape's ``body`` is one line: ``id:uuid tags:[] status:"open" person{name:text|null}`` is an
object with an id, an empty list, a word that the vendor sent, and an object in it. ``items[]`` is
each item of a list, ``.`` the whole body, and ``*`` in a word any text.
"""

import functools
import json
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from kit.first_calls import variables_of

from facematch_core.backend.shapes import shape_of
from facematch_mock_server import MockServer
from facematch_mock_server.first_calls import __main__ as first_calls
from facematch_mock_server.first_calls.plans import pictures_of, read_plan
from facematch_mock_server.vendors import vendor_names

FOLDER = Path(__file__).parents[1] / "recorded"
VENDORS = sorted({file.stem for file in FOLDER.glob("*.toml")} & {*vendor_names()})
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(?:\.(\d+))?(\S*)")
#: Forms that say more than those of `shape_of`.
_FORMS = {
    "text": re.compile(r"-?\d+\.\d+"),
    "UUID": re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"),
    "seconds,uuid": re.compile(r"\d{10},[0-9a-f-]{36}"),
    "base64-24": re.compile(r"[A-Za-z0-9+/]{22}=="),
}
_TOKEN = re.compile(r'\}|([^\s{}:"]*):((?:"(?:\\.|[^"\\])*"|\{\}|[^\s{}"])+)|([^\s{}:"]+)\{')
_VALUE = re.compile(r'"(?:\\.|[^"\\])*"|[^|]+')
#: Forms of a text that may be any.
_FREE = {"text", "url"}


@attrs.frozen
class Facts:
    """The forms and the words of an answer, by place such as ``items[].name``."""

    forms: dict[str, set[str]] = attrs.field(factory=dict)
    words: dict[str, set] = attrs.field(factory=dict)

    def add(self, place, value):
        """Add a value, and what is in it."""
        if isinstance(value, dict) and value:
            for name, item in value.items():
                self.add(f"{place}.{name}" if place else name, item)
        elif isinstance(value, list) and value:
            for item in value:
                self.add(f"{place}[]", item)
        else:
            self.forms.setdefault(place or ".", set()).add(form_of(value))
            word = json.dumps(value, ensure_ascii=False, default=repr)
            self.words.setdefault(place or ".", set()).add(word)
        return self


def form_of(value):
    """Return the form of a value that has no other in it: ``float.3``, ``time.6Z``, ``hex32``."""
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, float):
        return f"float.{len(repr(value).partition('.')[2].partition('e')[0])}"
    if isinstance(value, int) and not isinstance(value, bool):
        return "int"
    text = value if isinstance(value, str) else ""
    if time := _TIME.fullmatch(text):
        letter, fraction, zone = time.groups()
        decimals = f".{len(fraction)}" if fraction else ""
        return f"time{letter.strip('T').replace(' ', '_')}{decimals}{zone}"
    if re.fullmatch(r"[0-9a-f]{24,}", text):
        return f"hex{len(text)}"
    if re.fullmatch(r"[0-9A-F]{24,}", text):
        return f"HEX{len(text)}"
    finer = (form for form, pattern in _FORMS.items() if pattern.fullmatch(text))
    return next(finer, None) or shape_of(value, ())


def read_body(line):
    """Return the facts that a line says."""
    facts = Facts()
    path = []
    for token in _TOKEN.finditer(line):
        name, values, opened = token.groups()
        if token[0] == "}":
            path.pop()
        elif opened:
            path.append(opened)
        else:
            place = ".".join([*path, name] if name else path)
            for value in _VALUE.findall(values):
                word = value.removeprefix("=")
                is_word = value.startswith(('"', "="))
                form = form_of(json.loads(word)) if is_word else value
                facts.forms.setdefault(place, set()).add(form)
                if is_word:
                    facts.words.setdefault(place, set()).add(word)
    return facts


@attrs.frozen
class Shape:
    """A real answer.

    Attributes:
        call: The name of the call in the vendor's first_calls.toml.
        at: Where the mock's answer has what was recorded, as ``data.object``; empty for the whole.
        seen: ``BY | DATE | SOURCE`` of each answer; the source of several alike is ``3 public
            files``.
        headers: ``name`` or ``name: value``, in lower case, under the name of their list, which
            several shapes may share; else under that of the call.
        partial: Whether somebody quoted only a part.
    """

    call: str
    seen: list[str]
    facts: Facts = attrs.field(converter=read_body)
    at: str = ""
    headers: tuple[str, list[str]] = ("", [])
    status: int | None = None
    partial: bool = False
    note: str = ""


def read_shapes(vendor):
    """Return the shapes of a vendor's real answers, in the order of its file."""
    document = tomllib.loads((FOLDER / f"{vendor}.toml").read_text("utf-8"))
    shapes = []
    for row in document["shape"]:
        headers = row.get("headers", [])
        is_shared = isinstance(headers, str)
        row["headers"] = (headers, document[headers]) if is_shared else (row["call"], headers)
        shapes.append(Shape(facts=row.pop("body"), **row))
    return shapes


@attrs.frozen
class Answer:
    """The mock's answer to a call; the status is None for a webhook."""

    status: int | None
    headers: dict[str, str]
    document: object

    def facts_at(self, place):
        """Return the facts of the part at a place; none if the answer has no such part."""
        part = self.document
        for name in filter(None, place.split(".")):
            if not isinstance(part, dict) or name not in part:
                return Facts()
            part = part[name]
        return Facts().add("", part)


def play(vendor):
    """Return the mock's answers to the calls that a shape names, by name, and its documented words.

    The calls are those of the vendor's first_calls.toml; a call that could not be made has none.
    """
    plan = read_plan(vendor)
    named = {shape.call for shape in read_shapes(vendor)}
    calls = [call for call in plan["call"] if call["name"] in named or "keep" in call]
    calls += plan.get("at_mock", [])
    answers = {}
    words = {}
    with MockServer(vendor=vendor) as mock, pytest.MonkeyPatch.context() as patch:
        for name, value in {**variables_of(vendor), "FIRST_CALLS_URL": mock.url}.items():
            patch.setenv(name, value)
        # The mock counts its rates by its own clock.
        patch.setattr(first_calls, "time", SimpleNamespace(sleep=mock.control.advance))
        pictures = pictures_of(plan, ())
        for call, reply in first_calls.make_calls(vendor, {**plan, "call": calls}, pictures):
            if not isinstance(reply, KeyError):
                answers[call["name"]] = _read_answer(call, reply)
        for fields in mock.control.documented_values().values():
            for place, values in fields.items():
                words.setdefault(place, set()).update(map(json.dumps, values))
    return answers, words


def _read_answer(call, reply):
    headers = {name.lower(): value for name, value in reply.headers.items()}
    try:
        document = reply.json()
    except ValueError:
        document = reply.content or None
    if call.get("target", "").startswith("/__mock__/webhooks/deliveries/"):
        headers = {name.lower(): value for name, value in document["headers"].items()}
        return Answer(None, headers, json.loads(document["body"]))
    return Answer(reply.status_code, headers, document)


@attrs.frozen(order=True)
class Difference:
    """A difference of the mock from a real answer.

    Attributes:
        call: The name of the call, or of a list of headers.
        kind: ``answer`` if the mock has none, ``status``, ``header``, ``absent`` for a field that
            only the real answer has, ``extra`` for one that only the mock has, ``type``, ``null``,
            ``form``, ``decimals`` or ``word``.
        place: The header, or the place in the body.
    """

    call: str
    kind: str
    place: str


@functools.cache
def judge(vendor):
    """Return each shape of a vendor with the differences of the mock from it."""
    answers, documented = play(vendor)
    shapes = read_shapes(vendor)
    judged = []
    for shape in shapes:
        words = dict(documented)
        for answer in answers.values():
            for place, values in answer.facts_at(shape.at).words.items():
                words[place] = words.get(place, set()) | values
        siblings = [each for each in shapes if each.call == shape.call]
        found = _compare(shape, answers.get(shape.call), siblings, words)
        differences = [Difference(*each) for each in dict.fromkeys(found)]
        judged.append((shape, differences))
    return judged


def _compare(shape, answer, siblings, words):
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
    forms = answer.facts_at(shape.at).forms
    for kind, place in [
        *_compare_forms(shape.facts.forms, forms),
        *_list_extras(siblings, forms),
        *_list_unknown_words(shape.facts, forms, words),
    ]:
        yield shape.call, kind, place


def _compare_forms(real, mock):
    """Yield kind and place of each difference in the forms."""
    for place in {**real, **mock}:
        if kind := _kind_of(_forms_at(place, real), _forms_at(place, mock)):
            yield kind, _top(place, mock) if kind == "absent" else place


def _list_extras(shapes, forms):
    """Yield each place that the mock alone has, if enough real answers show that."""
    whole = [each for each in shapes if not each.partial]
    seen = [source.split(" | ") for each in whole for source in each.seen]
    # A source such as "3 public files" is three answers with the same words.
    count = sum(int(re.match(r"\d*", source)[0] or 1) for _, _, source in seen)
    if count > 1 or any(by in ("recorded", "library") for by, _, _ in seen):
        real = {place: found for each in whole for place, found in each.facts.forms.items()}
        for place in forms:
            if _forms_at(place, real) is None:
                yield "extra", _top(place, real)


def _list_unknown_words(facts, forms, words):
    """Yield each place that the mock has, and at which it cannot send a word of the real answer."""
    for place, real in facts.words.items():
        for word in real if _forms_at(place, forms) else ():
            pattern = ".*".join(map(re.escape, word.split("*")))
            if not any(re.fullmatch(pattern, each) for each in words.get(place, ())):
                yield "word", place


def _kind_of(real, mock):
    """Return what differs in the forms of a place: None if nothing, or if the mock alone has it."""
    if mock is None:
        return "absent"
    if real is None or not real or not mock or real & mock:
        return None
    real_types, mock_types = (set(map(_type_of, forms)) for forms in (real, mock))
    if not real_types & mock_types:
        return "null" if "null" in real_types | mock_types else "type"
    if real_types & mock_types == {"number"}:
        decimals = [max(int(form.partition(".")[2] or 0) for form in each) for each in (real, mock)]
        is_far = 2 <= decimals[0] <= 12 and abs(decimals[0] - decimals[1]) >= 2
        return "decimals" if is_far else None
    is_form = real_types & mock_types == {"text"} and not (real & _FREE and mock & _FREE)
    return "form" if is_form else None


def _type_of(form):
    """Return the JSON type of a value with this form."""
    types = {"int": "number", "float": "number", "[]": "list", "{}": "object"}
    name = form.partition(".")[0]
    return types.get(name, name if name in ("null", "boolean", "bytes") else "text")


def _forms_at(place, forms):
    """Return the forms at a place: of what has others in it ``[]`` or ``{}``.

    None if it is nowhere; an empty set if the list or object that it would be in is empty.
    """
    if place in forms:
        return forms[place]
    start = "" if place == "." else place
    for each in forms:
        if each.startswith(f"{start}[]"):
            return {"[]"}
        if each.startswith(f"{start}." if start else ""):
            return {"{}"}
    above = [each for each in _steps(place) if each in forms]
    return set() if above else None


def _steps(place):
    """Return a place with those that it is in, the outermost first."""
    ends = [match.start() for match in re.finditer(r"\.|\[\]", place)]
    return [".", *(place[:end] for end in ends if end), place]


def _top(place, forms):
    """Return the outermost place of these that the forms lack."""
    return next(each for each in _steps(place)[1:] if _forms_at(each, forms) is None)


@attrs.frozen
class Listed:
    """What is known to differ at a vendor.

    Attributes:
        not_imitated: The calls that the mock does not imitate, each with the page that says so.
        explained: Why a difference stays, and the page that says so.
        differs: The differences that are to be mended.
    """

    not_imitated: dict[str, str]
    explained: dict[Difference, tuple[str, str]]
    differs: set[Difference]


def read_listed(vendor):
    """Return what explained.toml and differs.toml say of a vendor."""
    explained = tomllib.loads((FOLDER / "explained.toml").read_text("utf-8")).get(vendor, {})
    differs = tomllib.loads((FOLDER / "differs.toml").read_text("utf-8")).get(vendor, {})
    listed = Listed({}, {}, set())
    for row in explained.get("not_imitated", ()):
        listed.not_imitated[row["call"]] = row["page"]
    for row in explained.get("explained", ()):
        difference = Difference(row["call"], row["kind"], row["place"])
        listed.explained[difference] = (row["why"], row["page"])
    for call, lines in differs.items():
        for line in lines:
            kind, _, place = line.partition(" ")
            listed.differs.add(Difference(call, kind, place))
    return listed
