"""What a vendor says of its own answers, as JSON Schema."""

import copy
import functools
import json
import re

import attrs
from jsonschema import Draft202012Validator


@attrs.frozen(kw_only=True, eq=False)
class Operation:
    """A call of a vendor.

    Attributes:
        method: The HTTP method.
        path: The path, such as ``/checks/{check_id}``; an action's name if the vendor has one path.
        answers: The schema of each status, or of ``default``; None if there is no body, and {} if
            the body is no JSON.
        request: The schema of a request in JSON; None if it is not known.
    """

    method: str
    path: str
    answers: dict
    request: dict | None = None

    @functools.cached_property
    def expression(self):
        return re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(self.path)) + "/?")


@attrs.frozen(kw_only=True, eq=False)
class Definition:
    """A vendor's definition.

    Attributes:
        source: What it was read from.
        operations: The calls, of which the first that fits a request is its one.
        schemas: What ``#/$defs/NAME`` in a schema refers to.
        webhooks: The schema of each event's body, by the event's name.
        strip: Returns the part of a request's path, or its action, that an operation's path has;
            None if the definition does not judge the request.
        is_other_form: Returns whether a body has a form that is not judged.
        part_of: Returns the schema of an answer, and the part of its JSON that it describes.
    """

    source: str
    operations: list
    schemas: dict
    webhooks: dict = attrs.field(factory=dict)
    strip: object = lambda request: request.path
    part_of: object = None
    is_other_form: object = None

    def find(self, request):
        """Return the operation that a request calls, or None."""
        path = self.strip(request)
        for operation in self.operations:
            if operation.method == request.method and path and operation.expression.fullmatch(path):
                return operation
        return None

    def judge_answer(self, operation, status, body):
        """Return what does not fit in the body, in bytes, of an answer; see `judge`."""
        answers = operation.answers
        schema = answers.get(
            str(status), answers.get(f"{str(status)[0]}XX", answers.get("default", ...))
        )
        if schema is ...:
            return [f"status {status}"]
        if schema is None:
            return ["a body"] if body else []
        if schema == {} or self._has_other_form(body):
            return []
        try:
            value = json.loads(body)
        except ValueError:
            return ["no JSON"]
        if self.part_of is not None:
            schema, value = self.part_of(operation, status, value)
        return self.judge(schema, value)

    def judge(self, schema, value):
        """Return what does not fit, as ``PLACE: KIND``, such as ``.data[].id: type``.

        Kinds are the words of JSON Schema, and ``missing``, ``null`` and ``unknown`` fields.
        """
        open_validator, closed_validator = self._validators_of(schema)
        # What fits without a further field, fits with one, too; nearly all answers do.
        if closed_validator.is_valid(value):
            return []
        faults = set()
        for error in open_validator.iter_errors(value):
            faults.update(_faults_of(error))
        # A part that does not fit names no fields: without it, the others are still judged.
        fitting = copy.deepcopy(value)
        for path, _ in faults:
            _remove(fitting, path)
        unknown = set()
        for error in closed_validator.iter_errors(fitting):
            unknown.update(fault for fault in _faults_of(error) if fault[1] == "unknown")
        places = [path for path, _ in faults | unknown]
        for path, kind in unknown:
            if not any(_is_below(place, path) for place in places):
                faults.add((path, kind))
        return sorted({f"{_format(path)}: {kind}" for path, kind in faults})

    def _validators_of(self, schema):
        """Return two validators: one allows further fields, one does not."""
        key = id(schema)
        if key not in self._validators:
            opened = Draft202012Validator({"$defs": self.schemas, **schema})
            closed = Draft202012Validator({"$defs": self._closed_below, **close(schema)})
            # The schema is kept, so that no other one gets its id.
            self._validators[key] = schema, opened, closed
        return self._validators[key][1:]

    @functools.cached_property
    def _closed_below(self):
        return {name: close_below(schema) for name, schema in self.schemas.items()}

    @functools.cached_property
    def _validators(self):
        return {}

    def judge_webhook(self, event, body):
        """Return what does not fit in the body of a webhook; see `judge`."""
        schema = self.webhooks.get(event, self.webhooks.get("*"))
        if schema is None or self._has_other_form(body):
            return []
        return self.judge(schema, json.loads(body))

    def _has_other_form(self, body):
        return self.is_other_form is not None and self.is_other_form(body)

    def judge_request(self, operation, body):
        """Return what does not fit in the body of a request; see `judge`."""
        return [] if operation.request is None else self.judge(operation.request, json.loads(body))

    def describe(self, operation):
        """Return what the definition says of a call, a line for each field and value."""
        lines = set()
        named = set()
        call = f"{operation.method} {operation.path}"
        for status, schema in operation.answers.items():
            lines.add(f"{call}: {status}")
            if schema:
                self._describe_fields(schema, call, lines, named)
        if operation.request:
            self._describe_fields(operation.request, f"{call} sent", lines, named)
        return lines

    def _describe_fields(self, schema, place, lines, named):
        """Add the fields and values of a schema; those of a schema with a name under it, once."""
        name = schema.get("$ref", "").rpartition("/")[2]
        if name in self.schemas and name not in named:
            named.add(name)
            self._describe_fields(self.schemas[name], name, lines, named)
        for value in schema.get("enum", ()):
            lines.add(f"{place} = {value!r}")
        for field, part in schema.get("properties", {}).items():
            lines.add(f"{place}.{field}")
            self._describe_fields(part, f"{place}.{field}", lines, named)
        for word in ("allOf", "anyOf"):
            for part in schema.get(word, ()):
                self._describe_fields(part, place, lines, named)
        if isinstance(schema.get("items"), dict):
            self._describe_fields(schema["items"], f"{place}[]", lines, named)


def _faults_of(error):
    """Return the path and the kind of each fault that an error of jsonschema is about."""
    path = tuple(error.absolute_path)
    if error.validator == "anyOf" and error.context:
        # Of several forms, the one that the value is nearest to.
        forms = {}
        for part in error.context:
            forms.setdefault(part.schema_path[0], []).append(part)
        nearest = min(forms.values(), key=lambda parts: (_is_other_type(parts), len(parts)))
        return [fault for part in nearest for fault in _faults_of(part)]
    if error.validator == "required":
        return [((*path, error.message.split("'")[1]), "missing")]
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        names = re.findall(r"'([^']+)'", error.message.partition("(")[2])
        return [((*path, name), "unknown") for name in names]
    return [(path, "null" if error.instance is None else error.validator)]


def _is_other_type(errors):
    return any(error.validator == "type" and not error.path for error in errors)


def _is_below(place, path):
    """Return whether a fault is deeper in the object whose field seems unknown.

    Where a part does not fit, all fields of its object count as unknown, too.
    """
    parent = path[:-1]
    return len(place) > len(path) and place[: len(parent)] == parent


def _remove(value, path):
    for part in path[:-1]:
        value = value[part] if isinstance(value, list) or part in value else {}
    if path and isinstance(value, dict):
        value.pop(path[-1], None)


def _format(path):
    return "".join("[]" if isinstance(part, int) else f".{part}" for part in path)


def close(schema):
    """Return a schema that allows no field but those that it names, at any depth."""
    if not isinstance(schema, dict) or not schema:
        return schema
    closed = close_below(schema)
    if _names_fields(schema):
        closed["unevaluatedProperties"] = False
    return closed


def close_below(schema):
    """Close what a schema describes below itself, but not itself: it may be a part of another."""
    opened = {}
    for key, value in schema.items():
        if key == "properties":
            opened[key] = {name: close(part) for name, part in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            opened[key] = close(value)
        elif key in ("allOf", "anyOf"):
            opened[key] = [close_below(part) for part in value]
        else:
            opened[key] = value
    return opened


def _names_fields(schema):
    if "additionalProperties" in schema:
        return False
    return bool({"properties", "allOf", "anyOf", "$ref"} & schema.keys())
