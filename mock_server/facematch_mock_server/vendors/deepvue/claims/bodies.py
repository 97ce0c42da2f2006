"""Bodies of requests: what is read, and in which words it is refused."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims._claim import Origin, row, table
from facematch_mock_server.claims._reply import Reply

from .errors import error
from .sources import AUTHORIZATION, FRAMEWORK, LIVENESS_PAGE, MATCH_V1, MATCH_V2, OURS


def _fault(key: str, words: str, kind: str, statement: str, source: Origin) -> tuple[Any, ...]:
    value = {"msg": words, "type": kind}
    return row(key, value, statement, source, turned={"msg": f"{words} (turned)", "type": kind})


CLAIMS = table(
    "deepvue",
    row("body.refused", Reply(422), "Parameters that are refused are 422.", FRAMEWORK),
    row(
        "body.keys",
        ("loc", "msg", "type"),
        "The detail of a 422 is a list of objects with loc, msg and type.",
        FRAMEWORK,
        turned=("msg",),
    ),
    row("body.together", True, "All parameters that are wrong are told at once.", FRAMEWORK),
    _fault(
        "body.missing",
        "field required",
        "value_error.missing",
        "A parameter that is missing is told in the framework's words.",
        FRAMEWORK,
    ),
    _fault(
        "body.not_a_file",
        "Expected UploadFile, received: <class 'str'>",
        "value_error",
        "A text in the place of a file is refused.",
        FRAMEWORK,
    ),
    _fault(
        "body.format",
        "File type is not supported",
        "value_error",
        "A file of another kind is 422; the words are not documented.",
        OURS,
    ),
    *error(
        "body.unreadable",
        400,
        "There was an error parsing the body",
        "A form that cannot be taken apart is 400.",
        FRAMEWORK,
        words=FRAMEWORK,
    ),
    row("form.last_wins", True, "Of a part that is sent twice the last counts.", FRAMEWORK),
    row(
        "token.fields",
        ("client_id", "client_secret"),
        "Authorize wants client_id and client_secret.",
        AUTHORIZATION,
        turned=("client_secret", "client_id"),
    ),
    row(
        "match.fields",
        ("file_a", "file_b"),
        "A comparison wants two files, file_a and file_b.",
        MATCH_V1,
        turned=("file_b", "file_a"),
    ),
    row(
        "match.v1.extensions",
        ("jpeg", "jpg", "png"),
        "Version 1 takes files called .jpeg, .jpg and .png.",
        MATCH_V1,
        turned=("jpeg", "jpg", "png", "gif"),
    ),
    row(
        "match.v2.extensions",
        ("jpeg", "jpg", "png", "pdf"),
        "Version 2 takes PDFs, too.",
        MATCH_V2,
        turned=("jpeg", "jpg", "png"),
    ),
    row("file.any_case", True, "The case of an extension does not matter.", OURS),
    row(
        "file.magic",
        {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"},
        "A file must also begin as one of the kinds that are taken; its extension need not be "
        "that one.",
        OURS,
        turned={"jpeg": b"", "png": b"", "pdf": b""},
    ),
    row(
        "liveness.fields",
        ("image",),
        "A liveness check wants JSON with image.",
        LIVENESS_PAGE,
        turned=("picture",),
    ),
    row(
        "liveness.data_uri",
        True,
        "The text of image is base64, bare or as a data URI; the form is not documented.",
        OURS,
    ),
    _fault(
        "liveness.no_base64",
        "Invalid image",
        "value_error",
        "A text that is no base64 is 422; the words are not documented.",
        OURS,
    ),
    _fault(
        "liveness.no_text",
        "str type expected",
        "type_error.str",
        "An image that is no text is refused in the framework's words.",
        FRAMEWORK,
    ),
    _fault(
        "liveness.no_object",
        "value is not a valid dict",
        "type_error.dict",
        "A body that is no JSON object, or not sent as JSON, is refused.",
        FRAMEWORK,
    ),
    row(
        "liveness.no_json",
        "value_error.jsondecode",
        "A body that is no JSON is 422 and says where it breaks.",
        FRAMEWORK,
    ),
)
