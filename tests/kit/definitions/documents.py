"""Definitions in the vendors' public repositories: OpenAPI documents, which `make schemas` fetches.

`pins.toml` has the commit and the digest of each. None is in this repository, because Onfido's and
Regula's state no licence.
"""

import hashlib
import json
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import yaml
from kit.definitions.definition import Definition, Operation

PINS = tomllib.loads(Path(__file__).with_name("pins.toml").read_text(encoding="utf-8"))
METHODS = ("get", "post", "put", "patch", "delete")
PERSONA_VERSION = "2025-12-08"
#: The path of the mock's routes before that of the document's.
PREFIXES = {"onfido": "/v3.6", "persona": "/api/v1", "regula": ""}
#: Of the rest the document requires fields that it does not have.
ONFIDO_WEBHOOK = {
    "properties": {
        "payload": {
            "properties": {
                "object": {"$ref": "#/$defs/webhook_event_payload_object"},
                "resource": {"$ref": "#/$defs/webhook_event_payload_resource"},
            },
            "additionalProperties": True,
        },
    },
}


def digest_of(files):
    """Return the SHA-256 of files' contents by name, in the order of the names."""
    return hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()


def read(vendor, files):
    """Return a vendor's definition from its files."""
    loaded = {}
    for name, content in files.items():
        loaded[Path(name).name] = (
            yaml.safe_load(content) if name.endswith("yml") else json.loads(content)
        )
    return OpenApi(vendor, loaded).read()


class OpenApi:
    """An OpenAPI document in one or several files, of which the first has the paths."""

    def __init__(self, vendor, files):
        self.vendor = vendor
        self.files = files
        self.main = next(iter(files))

    def read(self):
        schemas = {}
        for file in self.files.values():
            for schema_name, schema in file.get("components", {}).get("schemas", {}).items():
                schemas[schema_name] = normalize(schema)
        operations = []
        webhooks = {}
        document = self.files[self.main]
        for path, item in document["paths"].items():
            home, calls = self.follow(self.main, item)
            for method in METHODS:
                if method in calls:
                    operations.append(self.read_operation(home, method, path, calls[method]))
        for event, item in document.get("webhooks", {}).items():
            webhooks[event] = self.read_body(self.main, item["post"].get("requestBody"))
        if self.vendor == "onfido":
            webhooks["*"] = ONFIDO_WEBHOOK
        # `/inquiries/import` before `/inquiries/{id}`.
        operations.sort(key=lambda operation: operation.path.count("{"))
        prefix = PREFIXES[self.vendor]
        return Definition(
            source=f"{PINS[self.vendor]['repository']} {PINS[self.vendor]['commit'][:7]}",
            operations=operations,
            schemas=schemas,
            webhooks=webhooks,
            is_other_form=is_renamed if self.vendor == "persona" else None,
            strip=lambda request: None if is_other_form(request) else strip(request.path, prefix),
        )

    def follow(self, home, node):
        """Return the file and the node that a reference names, or the node itself."""
        while "$ref" in node:
            file, _, pointer = node["$ref"].partition("#")
            home = Path(file).name or home
            node = self.files[home]
            for part in pointer.strip("/").split("/"):
                node = node[unquote(part).replace("~1", "/").replace("~0", "~")]
        return home, node

    def read_operation(self, home, method, path, described):
        answers = {}
        for status, answer in described["responses"].items():
            answers[str(status)] = self.read_body(home, answer)
        request = self.read_body(home, described.get("requestBody"))
        return Operation(method=method.upper(), path=path, answers=answers, request=request)

    def read_body(self, home, described):
        """Return the schema of a body in JSON; {} if it is no JSON, None if there is none."""
        if described is None:
            return None
        home, described = self.follow(home, described)
        content = described.get("content")
        if not content:
            return None
        for media_type, about in content.items():
            if "json" in media_type:
                return normalize(about.get("schema", {}))
        return {}


def is_renamed(body):
    """Return whether an answer or a webhook of Persona has names in another form."""
    return re.search(rb'"(created|enabled)(_|[A-Z])', body) is not None


def is_other_form(request):
    """Return whether a request asks Persona for an older version, other names, or some fields."""
    is_older = request.header("persona-version", PERSONA_VERSION) != PERSONA_VERSION
    has_other_names = request.header("key-inflection", "kebab") != "kebab"
    return (
        is_older or has_other_names or any(name.startswith("fields[") for name, _ in request.query)
    )


def strip(path, prefix):
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else None


#: The words of a schema that are copied as they are. Formats and examples judge nothing.
KEPT = ("const", "enum", "maxLength", "maximum", "minLength", "minimum", "required", "type")


def normalize(schema):
    """Return a schema of OpenAPI as one of JSON Schema."""
    kept = {word: schema[word] for word in KEPT if word in schema}
    if "$ref" in schema:
        path = schema["$ref"].rpartition("#")[2]
        kept["$ref"] = "#/$defs/" + path.removeprefix("/components/schemas/")
    if "properties" in schema:
        kept["properties"] = {name: normalize(part) for name, part in schema["properties"].items()}
    for word in ("allOf", "anyOf", "oneOf"):
        if word in schema:
            # A value often fits several of the forms of which the document says that one fits.
            kept[word.replace("one", "any")] = [normalize(part) for part in schema[word]]
    for word in ("items", "additionalProperties"):
        if word in schema:
            kept[word] = normalize(schema[word]) if isinstance(schema[word], dict) else schema[word]
    return {"anyOf": [kept, {"type": "null"}]} if schema.get("nullable") else kept
