"""How the fields of a form are read, and in which words they are refused."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import DJANGO, DJANGO_FORMS, FRAMEWORK, MATCH_REFERENCE, MATCH_SKILL, OPENAPI, OURS

_FLOAT = ("score_type", ("float",))
_INTEGER = ("score_type", ("integer",))

_FORM = (
    row(
        "form.refused",
        Reply(400, {"detail": "Multipart form parse error - {problem}"}),
        "A multipart form that cannot be taken apart at all is 400, with the reason.",
        FRAMEWORK,
    ),
    row(
        "form.partial",
        True,
        "Of a multipart body that breaks off or is malformed, what can be read is used.",
        DJANGO,
    ),
    row(
        "form.base64",
        True,
        "A part whose Content-Transfer-Encoding is base64 is decoded; a file that cannot be is "
        "400.",
        DJANGO_FORMS,
    ),
    row("form.last_wins", True, "Of fields with the same name the last counts.", DJANGO),
    row("fields.refused", Reply(400), "Fields are refused by name, with 400.", MATCH_REFERENCE),
    row("fields.together", True, "All field errors of a request come together.", FRAMEWORK),
    row(
        "fields.unknown_ignored",
        True,
        "Fields that the endpoint does not know are ignored.",
        FRAMEWORK,
    ),
)

_FILES = (
    row("file.missing", "No file was submitted.", "The words for a missing file.", MATCH_REFERENCE),
    row(
        "file.not_a_file",
        "The submitted data was not a file. Check the encoding type on the form.",
        "The words for text where a file belongs.",
        FRAMEWORK,
    ),
    row("file.empty", "The submitted file is empty.", "The words for no bytes.", FRAMEWORK),
    row(
        "file.bad_extension",
        "File extension “{extension}” is not allowed. Allowed extensions are: {allowed}.",
        "The words for an extension, with typographic quotes and in lower case.",
        MATCH_REFERENCE,
    ),
    row(
        "file.extensions",
        ("tiff", "jpg", "jpeg", "png", "webp"),
        "The allowed extensions; the content type does not matter, and tif is not among them.",
        OPENAPI,
        turned=("webp", "tif"),
    ),
    row("file.extension_case", False, "The case of an extension does not matter.", FRAMEWORK),
    row(
        "file.too_large",
        "File size should not exceed 5 MB",
        "The words for a large file, without a full stop.",
        OPENAPI,
    ),
    row(
        "file.size_limit",
        5 * 1024 * 1024,
        "5 MB are 5 242 880 bytes; the documents do not say which MB they mean.",
        OURS,
        turned=5_000_000,
    ),
    row(
        "file.all_faults",
        True,
        "A file with a wrong extension that is too large, too, is refused for both.",
        FRAMEWORK,
    ),
)

_TEXTS = (
    row(
        "number.bad",
        "A valid number is required.",
        "The words for no number.",
        FRAMEWORK,
        when=_FLOAT,
    ),
    row(
        "integer.bad",
        "A valid integer is required.",
        "The words for no whole number.",
        FRAMEWORK,
    ),
    row(
        "number.too_high",
        "Ensure this value is less than or equal to {limit}.",
        "The words for a threshold above 100.",
        MATCH_REFERENCE,
    ),
    row(
        "number.too_low",
        "Ensure this value is greater than or equal to {limit}.",
        "The words for a threshold below 0.",
        FRAMEWORK,
    ),
    row("threshold.highest", 100, "A threshold is at most 100.", MATCH_REFERENCE, turned=50),
    row("threshold.lowest", 0, "A threshold is at least 0.", MATCH_REFERENCE, turned=-10),
    row(
        "threshold.whole",
        False,
        "A threshold may have a fraction.",
        MATCH_REFERENCE,
        turned=True,
        when=_FLOAT,
        name="fraction",
    ),
    row(
        "threshold.whole",
        True,
        "A threshold is a whole number.",
        MATCH_SKILL,
        turned=False,
        when=_INTEGER,
        name="integer",
    ),
    row(
        "number.empty",
        True,
        "An empty number or boolean counts as missing.",
        FRAMEWORK,
    ),
    row("boolean.bad", "Must be a valid boolean.", "The words for no boolean.", FRAMEWORK),
    row(
        "boolean.true",
        frozenset(
            ["t", "T", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "1"]
        ),
        "The words for true.",
        FRAMEWORK,
        turned=frozenset({"true"}),
    ),
    row(
        "boolean.false",
        frozenset(
            [
                "f",
                "F",
                "n",
                "N",
                "no",
                "No",
                "NO",
                "false",
                "False",
                "FALSE",
                "off",
                "Off",
                "OFF",
                "0",
            ]
        ),
        "The words for false.",
        FRAMEWORK,
        turned=frozenset({"false"}),
    ),
    row(
        "metadata.bad",
        "Metadata must be a JSON object.",
        "The words for metadata that is no JSON object; documented for a management endpoint only.",
        OURS,
    ),
    row("metadata.empty", None, "Empty metadata counts as none.", OURS, turned={}),
    row(
        "text.long",
        "Ensure this field has no more than {most} characters.",
        "The words for a text that is too long.",
        FRAMEWORK,
    ),
    row(
        "vendor_data.longest",
        10_000,
        "vendor_data has at most 10,000 characters: no limit is documented.",
        OURS,
        turned=3,
    ),
    row(
        "metadata.longest",
        50_000,
        "metadata has at most 50,000 characters: no limit is documented.",
        OURS,
        turned=3,
    ),
    row("vendor_data.empty", None, "Empty vendor_data is echoed as null.", OURS, turned=""),
)

CLAIMS = table("didit", *_FORM, *_FILES, *_TEXTS)
