"""Fields of an answer for which a vendor's definition lists the values."""

import json

#: The most references within references of a definition that are followed.
DEEPEST = 12


def choices_of(definition, operation, answer):
    """Return the allowed values, and the value, of each field with a list of values, by place."""
    schema = operation.answers.get(str(answer.status), operation.answers.get("default"))
    value = json.loads(answer.body)
    prefix = ""
    if definition.part_of is not None:
        schema, part = definition.part_of(operation, answer.status, value)
        prefix = "" if part is value else "Response."
        value = part
    found = {}
    _collect(definition, [schema], value, prefix, found)
    return found


def _collect(definition, schemas, value, place, found):
    forms = [form for schema in schemas for form in _forms_of(definition, schema)]
    if isinstance(value, dict):
        start = f"{place}." if place and not place.endswith(".") else place
        for name, part in value.items():
            described = [form["properties"][name] for form in forms if name in _fields_of(form)]
            _collect(definition, described, part, f"{start}{name}", found)
    elif isinstance(value, list):
        described = [form["items"] for form in forms if isinstance(form.get("items"), dict)]
        for part in value:
            _collect(definition, described, part, f"{place}[]", found)
    else:
        allowed = []
        for form in forms:
            allowed += form.get("enum", [True, False] if form.get("type") == "boolean" else [])
        if allowed:
            _, values = found.setdefault(place, (set(allowed), set()))
            values.add(value)


def _fields_of(form):
    return form.get("properties", {})


def _forms_of(definition, schema, depth=0):
    """Return a schema and those that it refers to or is made of."""
    if not isinstance(schema, dict) or depth > DEEPEST:
        return []
    parts = [*schema.get("allOf", ()), *schema.get("anyOf", ())]
    if "$ref" in schema:
        parts.append(definition.schemas.get(schema["$ref"].rpartition("/")[2]))
    return [
        schema,
        *(form for part in parts for form in _forms_of(definition, part, depth + 1)),
    ]
