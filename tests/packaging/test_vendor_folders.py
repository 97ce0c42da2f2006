"""A fact about a vendor stands in its folder: no other module of the product names a vendor.

Entry points, pages and the skill do. Comments and docstrings may: they give examples and reasons.
"""

import re
import tokenize
from pathlib import Path

import pytest
from kit.vendors import BUNDLED_VENDORS

ROOT = Path(__file__).parents[2]
PRODUCT = ("facematch_core", "backends", "comparison", "mock_server")
SKILL = "facematch_core/.agents/"
NAMES = re.compile(rf"(?<![a-z])({'|'.join(BUNDLED_VENDORS)})(?![a-z])", re.IGNORECASE)
#: The folder of a vendor, in the backends and in the mock.
FOLDER = re.compile(r"(?:backends/facematch_|mock_server/facematch_mock_server/vendors/)(\w+)/.*")
ERROR = "the example in an error's text"
OMITS = "recognizes Rekognition's answers, which omit low scores, in a score file of any name"
EXAMPLE = "the shop of `facematch drill --example` is a customer of one vendor"
#: The modules that name vendors all the same, with the reason.
EXCEPTIONS = {
    "facematch_core/checks/store.py": ({"didit"}, ERROR),
    "facematch_core/images/stored.py": ({"rekognition"}, "no other vendor reads pictures in S3"),
    "facematch_core/sessions/aio.py": ({"didit"}, ERROR),
    "comparison/facematch_comparison/cli/common.py": ({"azure", "rekognition"}, OMITS),
    "comparison/facematch_comparison/scores/checks.py": ({"rekognition"}, OMITS),
    "comparison/facematch_comparison/scores/lines.py": ({"rekognition"}, OMITS),
    "comparison/facematch_comparison/scores/missing.py": ({"rekognition"}, OMITS),
    "comparison/facematch_comparison/scores/reading.py": ({"rekognition"}, OMITS),
    "comparison/facematch_comparison/scores/recognition.py": ({"rekognition"}, OMITS),
    "mock_server/facematch_mock_server/__init__.py": ({"didit"}, "exports its `Workflow`"),
    "mock_server/facematch_mock_server/cli.py": ({"didit", "deepvue"}, "examples in the help"),
    "mock_server/facematch_mock_server/drill/example_shop.py": ({"stripe"}, EXAMPLE),
    "mock_server/facematch_mock_server/drill/options.py": ({"stripe"}, EXAMPLE),
    "mock_server/facematch_mock_server/replies/reduction.py": (
        {"persona"},
        "knows the forms of keys, to keep them out of a recording of any host",
    ),
    "mock_server/facematch_mock_server/vendors/__init__.py": ({"didit"}, "the default vendor"),
}


def code_of(path):
    """Return a module without its comments and docstrings; a file of another kind as it is."""
    if path.suffix != ".py":
        return re.sub(r"(?m)^\s*(#|//).*", "", path.read_text("utf-8", errors="replace"))
    code = []
    is_start = True
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in (tokenize.COMMENT, tokenize.NL):
                continue
            if not (is_start and token.type == tokenize.STRING):
                code.append(token.string)
            is_start = token.type in (
                tokenize.ENCODING,
                tokenize.NEWLINE,
                tokenize.INDENT,
                tokenize.DEDENT,
            )
    return "\n".join(code)


def vendors_named_in(path):
    return {name.lower() for name in NAMES.findall(code_of(path))}


def files_of_product():
    for top in PRODUCT:
        for path in sorted((ROOT / top).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            is_text = path.is_file() and path.suffix not in (".pyc", ".onnx", ".png")
            if is_text and not name.startswith(SKILL):
                yield name


def test_no_module_outside_a_vendors_folder_names_a_vendor():
    named = {}
    for name in files_of_product():
        own = FOLDER.fullmatch(name)
        vendors = vendors_named_in(ROOT / name) - ({own[1]} if own else set())
        if vendors:
            named[name] = vendors
    assert named == {name: vendors for name, (vendors, _) in EXCEPTIONS.items()}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('HOSTS = {"facepp"}', {"facepp"}),
        ("from .rekognition import signature", {"rekognition"}),
        ("VERIFF_CUT = 80", {"veriff"}),
        ("a = f'{stripe.name}'", {"stripe"}),
        ('PERSONAL = "personal, regular"', set()),
        ("a = 1  # as Veriff does", set()),
        ('def start():\n    """Start, as at Sumsub."""\n', set()),
        ('def start():\n    return """Sumsub"""\n', {"sumsub"}),
    ],
)
def test_a_name_in_code_is_found_and_one_in_a_comment_is_not(tmp_path, line, expected):
    (tmp_path / "module.py").write_text(line)
    assert vendors_named_in(tmp_path / "module.py") == expected
