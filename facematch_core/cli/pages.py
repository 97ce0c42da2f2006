"""The project's pages, as a wheel or a checkout has them.

hatch_build.py runs this file where nothing is installed: it imports only the standard library.
"""

from __future__ import annotations

import bz2
import inspect
import pkgutil
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
#: All pages of a wheel in one compressed file, which takes 60 % of what a hundred in the wheel do.
JOINED = PACKAGE / "pages.md.bz2"
#: The skill for coding agents, where `uvx library-skills` looks for it.
SKILL = PACKAGE / ".agents/skills/facematch/SKILL.md"
#: Pages above the folder `docs`.
TOP_PAGES = ("SECURITY.md",)
#: Pages, and the programs and files that they explain.
SUFFIXES = (".md", ".py", ".toml", ".yaml", ".json")
#: The site's own code, licences of photographs, data, and what needs a checkout or is long.
LEFT_OUT = (
    "_",
    "photographs/",
    "maintain/",
    "vendors/compared.toml",
    "vendors/reports/",
    "reference/comparison.schema.json",
    "examples/compose/",
    "examples/shop/test_",
)

_BEGINNING = re.compile(r"(?m)^<!-- page: (.+) -->\n")
#: What a command prints of itself, which each reader can print.
_HELP_OF_COMMAND = re.compile(r"(?ms)^(\$ facematch(?: [a-z-]+)+ -h\n).*?(?=^\$ |^```$)")
_FENCED_CODE = re.compile(r"(?ms)(^ *```.*?^ *```$)")
_COMMENT = re.compile(r"(?ms)^<!-- .*?-->\n")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_PICTURE = re.compile(r'<img [^>]*alt="([^"]*)"[^>]*>')
_CLAIMS_FILE = re.compile(r"mock_server/facematch_mock_server/vendors/(\w+)/claims\.py$")
_DOCSTRING = re.compile(r"(?m)^::: (\S+)\n(?: +.*\n)*")


@dataclass(frozen=True)
class Page:
    """A page of the documentation, or a program that a page explains."""

    #: Its path without ``.md``, such as ``test/test-offline``.
    name: str
    source: str

    @property
    def is_program(self) -> bool:
        return "." in self.name

    @property
    def title(self) -> str:
        """The first heading; empty for a program."""
        heading = re.search(r"(?m)^# (.+)$", self.source)
        return "" if self.is_program or heading is None else heading[1]


def joined_pages(root: Path) -> str:
    """Return all pages of a checkout, each after a line with its name.

    Comments and commands' help are left out, which keeps the wheel small.
    """
    docs = root / "docs"
    files = {file.relative_to(docs).as_posix(): file for file in docs.rglob("*")}
    for name in TOP_PAGES:
        files[name] = root / name
    parts = []
    for path, file in sorted(files.items()):
        if file.suffix in SUFFIXES and not path.startswith(LEFT_OUT):
            text = _COMMENT.sub("", file.read_text(encoding="utf-8")).rstrip()
            text = _HELP_OF_COMMAND.sub(r"\1...\n", text)
            parts.append(f"<!-- page: {path.removesuffix('.md')} -->\n{text}\n")
    return "".join(parts)


def read_pages() -> dict[str, Page]:
    """Return the pages by name, the skill and the pages of plug-ins among them.

    Raises OSError if the installation has none.
    """
    if JOINED.exists():
        text = bz2.decompress(JOINED.read_bytes()).decode()
    else:
        text = joined_pages(PACKAGE.parent)
    _, *parts = _BEGINNING.split(text)
    sources = dict(zip(parts[::2], parts[1::2], strict=True))
    # Imported here, because hatch_build.py has no facematch_core.
    from facematch_core.config.plugins import available_backends, find_beside

    for backend in available_backends():
        file = find_beside(backend.target.partition(":")[0], "page.md")
        if file is not None and backend.problem is None:
            sources.setdefault(f"vendors/{backend.name}", file.read_text(encoding="utf-8"))
    sources["skill"] = SKILL.read_text(encoding="utf-8")
    return {name: Page(name, source) for name, source in sources.items()}


def with_docstring_commands(source: str) -> str:
    """Return a page whose lines for mkdocstrings are commands that print the docstrings."""
    return _DOCSTRING.sub(lambda line: f"{_docstring_command(line[1])}\n", source)


def with_signatures(source: str) -> str:
    """Return a page whose lines for mkdocstrings are commands, each with what can be called."""
    return _DOCSTRING.sub(
        lambda line: "\n".join([_docstring_command(line[1]), *_signatures_of(line[1]), ""]), source
    )


def _docstring_command(name: str) -> str:
    return f"`python -m pydoc {name}` prints its documentation."


def _signatures_of(name: str) -> list[str]:
    """Return a line for a function or a class whose arguments are documented, and for each method.

    Nothing if the extra that it needs is not installed.
    """
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return []
    lines = []
    if "\nArgs:\n" in (inspect.getdoc(found) or ""):
        lines.append(f"- `{found.__name__}{_signature_of(found)}`")
    methods = inspect.getmembers(found, inspect.isfunction) if inspect.isclass(found) else []
    for method, function in methods:
        if method.startswith("_") or not function.__module__.startswith("facematch_"):
            continue
        summary, _, _ = (inspect.getdoc(function) or "").partition("\n\n")
        lines.append(f"- `{method}{_signature_of(function)}`: {' '.join(summary.split())}")
    return ["", *lines] if lines else []


def _signature_of(function: Callable[..., object]) -> str:
    """Return a signature without types and `self`; a default that is made at each call is `...`."""
    parameters = [
        parameter.replace(annotation=parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
    ]
    signature = str(inspect.Signature(parameters))
    # Enumerations and classes by their names.
    signature = re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", signature)
    signature = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", signature)
    return re.sub(r"=(NOTHING|<[^>]*>)", "=...", signature)


def plain(
    page: Page,
    pages: Mapping[str, Page],
    read_docstrings: Callable[[str], str] = with_docstring_commands,
) -> str:
    """Return a page to be read alone: each link is an address, or a command that prints a page.

    `read_docstrings` returns prose with its lines for mkdocstrings replaced.
    """
    if page.is_program:
        return page.source
    parts = _FENCED_CODE.split(page.source)
    # Every second part is code.
    for number in range(0, len(parts), 2):
        prose = _PICTURE.sub(r"(picture: \1)", _COMMENT.sub("", parts[number]))
        prose = _LINK.sub(lambda link: _plain_link(link, page, pages), prose)
        parts[number] = read_docstrings(prose)
    return re.sub(r"\n{3,}", "\n\n", "".join(parts))


def _plain_link(link: re.Match[str], page: Page, pages: Mapping[str, Page]) -> str:
    """Return a Markdown link as a terminal can follow it.

    That is a URL, or the command that shows the page.
    """
    is_picture, text, target = link.groups()
    if target.startswith("https://"):
        return link[0]
    if is_picture:
        return f"(picture: {text})"
    claims = _CLAIMS_FILE.search(target)
    if claims is not None:
        return f"{text} (`facematch docs claims/{claims[1]}`)"
    path = target.partition("#")[0]
    if f"{page.name}.md" in TOP_PAGES:
        path = path.removeprefix("docs/")
    name = posixpath.normpath(posixpath.join(posixpath.dirname(page.name), path))
    linked = pages.get(name.removesuffix(".md").removeprefix("../"))
    if linked is None or linked is page:
        return text
    return f"{text} (`facematch docs {linked.name}`)"
