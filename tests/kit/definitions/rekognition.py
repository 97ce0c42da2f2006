"""Rekognition's definition: the service's model in botocore (Apache-2.0)."""

from importlib.metadata import version

import botocore.session
from kit.definitions.annotations import ref
from kit.definitions.definition import Definition, Operation

#: Errors of every service of AWS, also with the names on its page of common errors.
COMMON_ERRORS = (
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SerializationException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
)
TYPES = {
    "boolean": "boolean",
    "blob": "string",
    "double": "number",
    "float": "number",
    "integer": "integer",
    "long": "integer",
    "timestamp": "number",
}


def _describe(shape):
    if shape.type_name == "structure":
        members = {name: ref(member.name) for name, member in shape.members.items()}
        return {"type": "object", "properties": members, "required": shape.required_members}
    if shape.type_name == "list":
        return {"type": "array", "items": ref(shape.member.name)}
    if shape.type_name == "map":
        return {"type": "object"}
    is_text = shape.type_name == "string"
    schema = {"type": "string" if is_text else TYPES[shape.type_name]}
    for name, text_name, number_name in (
        ("min", "minLength", "minimum"),
        ("max", "maxLength", "maximum"),
    ):
        if name in shape.metadata:
            schema[text_name if is_text else number_name] = shape.metadata[name]
    if shape.metadata.get("enum"):
        schema["enum"] = shape.metadata["enum"]
    return schema


def read():
    model = botocore.session.get_session().get_service_model("rekognition")
    operations = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        errors = [shape.name for shape in operation.error_shapes]
        failed = {
            "properties": {"__type": {"enum": [*errors, *COMMON_ERRORS]}},
            "required": ["__type"],
            "additionalProperties": True,
        }
        answers = {"200": ref(operation.output_shape.name), "default": failed}
        request = ref(operation.input_shape.name)
        operations.append(Operation(method="POST", path=name, answers=answers, request=request))
    return Definition(
        source=f"botocore {version('botocore')}",
        operations=operations,
        schemas={name: _describe(model.shape_for(name)) for name in model.shape_names},
        strip=lambda request: request.header("x-amz-target", "").partition(".")[2],
    )
