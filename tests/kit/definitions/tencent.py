"""Tencent's definition: the models of its client for IAI (Apache-2.0)."""

import inspect
import re
from importlib.metadata import version

from kit.definitions.annotations import NULL, action_of, ref
from kit.definitions.definition import Definition, Operation
from tencentcloud.iai.v20180301 import models as models_2018
from tencentcloud.iai.v20200303 import models as models_2020

TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
FIELD = re.compile(r":param _(\w+): ?(.*?):type \w+: ([^\n]+)", re.DOTALL)
ERROR = {
    "properties": {
        "Error": {
            "properties": {"Code": {"type": "string"}, "Message": {"type": "string"}},
            "required": ["Code", "Message"],
        },
        "RequestId": {"type": "string"},
    },
    "required": ["Error", "RequestId"],
}


def _describe(cls, models, api_version):
    properties = {}
    for name, about, type_name in FIELD.findall(cls.__init__.__doc__ or ""):
        item_type = type_name.strip().removeprefix("list of ")
        class_name = item_type.rstrip("`").rpartition(".")[2]
        if item_type in TYPES:
            schema = {"type": TYPES[item_type]}
        elif hasattr(models, class_name):
            schema = ref(f"{api_version}.{class_name}")
        else:
            schema = {}
        if type_name.strip().startswith("list of "):
            schema = {"type": "array", "items": schema}
        # "This field may return null."
        properties[name] = {"anyOf": [schema, NULL]} if "null" in about else schema
    required = list(properties) if cls.__name__.endswith("Response") else []
    return {"type": "object", "properties": properties, "required": required}


def read():
    schemas = {}
    operations = []
    for api_version, models in (("2018-03-01", models_2018), ("2020-03-03", models_2020)):
        for name, cls in vars(models).items():
            if not inspect.isclass(cls):
                continue
            schemas[f"{api_version}.{name}"] = _describe(cls, models, api_version)
            if name.endswith("Response"):
                action = name.removesuffix("Response")
                operation = Operation(
                    method="POST",
                    path=f"{api_version}/{action}",
                    answers={"200": ref(f"{api_version}.{name}"), "error": ERROR},
                    request=ref(f"{api_version}.{action}Request"),
                )
                operations.append(operation)
    return Definition(
        source=f"tencentcloud-sdk-python-iai {version('tencentcloud-sdk-python-iai')}",
        operations=operations,
        schemas=schemas,
        strip=lambda request: action_of(request, "x-tc-action", "x-tc-version"),
        part_of=_part_of,
    )


def _part_of(operation, status, body):
    part = body.get("Response", body)
    return operation.answers["error" if "Error" in part else "200"], part
