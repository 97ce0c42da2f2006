"""Alibaba's definition: the models of its client for FaceBody (Apache-2.0)."""

import inspect
import re
import typing
from importlib.metadata import version

from alibabacloud_facebody20191230 import models
from kit.definitions.annotations import action_of, ref, schema_of
from kit.definitions.definition import Definition, Operation
from Tea.model import TeaModel

ERROR = {
    "properties": {name: {"type": "string"} for name in ("RequestId", "Code", "Message")},
    "required": ["RequestId", "Code", "Message"],
    "additionalProperties": True,
}


def _describe(cls):
    read = re.findall(
        r"m\.get\('(\w+)'\) is not None:.*?self\.(\w+)", inspect.getsource(cls.from_map), re.DOTALL
    )
    names = {attribute: name for name, attribute in read}
    properties = {}
    for attribute, annotation in typing.get_type_hints(cls.__init__).items():
        properties[names[attribute]] = schema_of(annotation)
    return {"type": "object", "properties": properties}


def read():
    schemas = {}
    operations = []
    for name, cls in vars(models).items():
        if not inspect.isclass(cls) or not issubclass(cls, TeaModel):
            continue
        schemas[name] = _describe(cls)
        if name.endswith("ResponseBody"):
            answers = {"200": ref(name), "default": ERROR}
            path = name.removesuffix("ResponseBody")
            operations.append(Operation(method="POST", path=path, answers=answers))
    return Definition(
        source=f"alibabacloud_facebody20191230 {version('alibabacloud_facebody20191230')}",
        operations=operations,
        schemas=schemas,
        strip=lambda request: action_of(request, "x-acs-action"),
    )
