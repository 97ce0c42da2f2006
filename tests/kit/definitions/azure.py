"""Azure's definition: models and calls of its client, generated from its description (MIT)."""

import ast
import enum
import inspect
import re
import typing
from importlib.metadata import version

from azure.ai.vision.face import models
from azure.ai.vision.face.operations import _operations
from kit.definitions.annotations import ref, schema_of
from kit.definitions.definition import Definition, Operation

#: Sessions have other answers in the stable version, which this client does not know.
PATH = re.compile(r"/face/(?P<version>v1\.[^/]+)(?P<path>/.*)")


def _describe(cls):
    hints = typing.get_type_hints(cls, vars(models) | {"_models": models})
    properties = {}
    required = []
    for base in cls.__mro__:
        for attribute, field in vars(base).items():
            if type(field).__name__ == "_RestField":
                name = field._rest_name_input or attribute  # noqa: SLF001 - there is no other way
                properties[name] = schema_of(hints[attribute])
                if type(None) not in typing.get_args(hints[attribute]):
                    required.append(name)
    return {"type": "object", "properties": properties, "required": required}


def _read_operations():
    """Return each call by what its method of the client sends and returns."""
    tree = ast.parse(inspect.getsource(_operations))
    requests = {}
    calls = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        text = ast.unparse(node)
        if node.name.startswith("build_"):
            method = re.search(r"HttpRequest\(method='(\w+)'", text)
            requests[node.name] = method[1], re.search(r"_url = '([^']+)'", text)[1]
        elif builder := re.search(r"_request = (build_\w+)\(", text):
            (status,) = re.findall(r"status_code not in \[(\d+)\]", text)
            returned = eval(ast.unparse(node.returns), vars(_operations))
            calls.append((builder[1], status, returned))
    operations = []
    for builder, status, returned in calls:
        method, path = requests[builder]
        schema = None if returned is None else schema_of(returned)
        answers = {status: schema, "default": ref("FaceErrorResponse")}
        operations.append(Operation(method=method, path=path, answers=answers))
    return operations


def _strip(request):
    match = PATH.fullmatch(request.path)
    if match is None:
        return None
    is_known = "preview" in match["version"] or "session" not in match["path"].lower()
    return match["path"] if is_known else None


def read():
    schemas = {}
    for cls in vars(models).values():
        if inspect.isclass(cls) and not issubclass(cls, enum.Enum):
            schemas[cls.__qualname__] = _describe(cls)
    return Definition(
        source=f"azure-ai-vision-face {version('azure-ai-vision-face')}",
        operations=_read_operations(),
        schemas=schemas,
        strip=_strip,
    )
