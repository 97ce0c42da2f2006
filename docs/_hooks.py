"""Hooks for mkdocs: count warnings in a quiet build, generate pages, and tune the search.

Each page is in the site as Markdown, too, and llms.txt lists them (https://llmstxt.org). The plugin
mkdocs-llmstxt needs the site's address, and the site has none yet.

mkdocs does not count warnings that it does not print, so `--strict --quiet` would never fail.
"""

from __future__ import annotations

import inspect
import logging
import pkgutil
import re
import textwrap
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation, Section

from facematch_core.cli.pages import with_docstring_commands
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.vendors.claims_page import claims_by_area, claims_introduction

DOCS = Path(__file__).parent

HOME = "index.md"
#: The title of the first page in a browser and in a search engine, before the site's name.
HOME_TITLE = "Onfido, Veriff, Sumsub, Persona, Stripe Identity and others as a server"
#: Divides a part of the first page: what follows is shown beside it.
BESIDE = "<!-- beside -->"

#: Top-level pages of the repository that are also in the site.
ROOT_PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")

#: Folder without search: pages for maintainers.
UNSEARCHED = "maintain/"

#: Weight of a page in the search: how-to pages before the reference.
WEIGHTS = {
    "apps/": 4,
    "choose/": 4,
    "extend/": 3,
    "vendors/": 3,
    "test/": 4,
    "reference/": 0.05,
    "reference/comparison.md": 1,
    "reference/cli.md": 1,
    "reference/configuration.md": 1,
    "extend/write-a-plug-in.md": ["backend", "plug-ins"],
    "reference/glossary.md": 1,
}

#: Search words that are in no title, each with the page that answers.
WORDS = {
    "apps/answer-a-web-form.md": ["liveness", "selfie", "uploads"],
    "apps/let-the-vendor-look.md": [
        "camera",
        "deepfake",
        "hosted sessions",
        "KYC",
        "portrait",
        "spoof",
        "video",
        "webhooks",
    ],
    "apps/upgrade-restore-leave.md": ["backup", "erase", "migration", "rollback"],
    "apps/limit-spending.md": [
        "billing",
        "budgets",
        "charged",
        "costs",
        "currency",
        "invoice",
    ],
    "apps/migrate.md": ["cosine", "numpy", "OpenCV"],
    "apps/observe.md": ["APM", "locals", "logging", "monitoring", "traceback"],
    "apps/read-a-result.md": ["no face"],
    "apps/run-it.md": ["celery", "deployment", "gunicorn", "production"],
    "apps/survive-outages.md": ["failover", "retry", "throttling"],
    "test/test-offline.md": [
        "cassettes",
        "conftest",
        "fixtures",
        "monkeypatch",
        "pytest",
        "sandbox",
    ],
    "apps/handle-errors.md": ["certificate", "proxy", "ssl", "TLS"],
    "apps/try-a-vendor.md": [
        "A/B test",
        "canary",
        "dark launch",
        "percentage",
        "pilot",
        "rollout",
        "shadow mode",
        "split",
    ],
    "apps/tutorial.md": ["asyncio", "installation", "trio", "Windows"],
    "choose/change-vendors.md": [
        "A/B test",
        "disagreements",
        "drift",
        "inter-rater agreement",
        "kappa",
        "labels",
        "reviewers",
        "shadow mode",
    ],
    "choose/compare-vendors.md": ["bias", "cluster", "Dask", "demographics", "fairness"],
    "choose/judge-a-score-file.md": ["CSV"],
    "choose/tutorial.md": ["calibrate", "thresholds"],
    "reference/comparison.md": [
        "bootstrap",
        "false positives",
        "confidence intervals",
        "DET",
        "EER",
        "FMR",
        "ISO 19795",
        "McNemar",
        "ROC",
        "significance",
    ],
    "test/receive-webhooks.md": ["Next.js", "Laravel", "Rails", "PHP", "raw body"],
    "apps/pictures.md": ["EXIF", "HEIC", "iPhone", "rotate"],
    "apps/privacy.md": ["GDPR", "BIPA", "consent", "delete", "mask", "redact", "retention"],
    "choose/scores.md": ["liveness score", "siblings", "twins"],
    "test/test-the-camera-step.md": ["e2e", "end-to-end", "iframe", "React", "web SDK"],
    "test/open-a-door.md": ["Go", "golang"],
    "test/use-the-mock.md": ["Docker", "Java", "javascript", "node", "curl"],
    "reference/glossary.md": ["FAR", "FRR"],
    "vendors/azure.md": ["azure", "Entra"],
    "vendors/index.md": ["prices", "pricing", "Jumio"],
    "vendors/rekognition.md": ["AWS", "credentials", "IAM"],
}


def on_config(_config: Any) -> None:
    """Enable warnings, so that they are printed and `--strict` counts them."""
    logger = logging.getLogger("mkdocs")
    logger.setLevel(min(logger.level, logging.WARNING))


#: A file of the package that a page links to, and its place in the site.
SCHEMA_FILE = "facematch_core/result.schema.json"
SCHEMA_IN_SITE = "reference/result.schema.json"


def on_files(files: Files, config: Any) -> None:
    """Add the repository's own files."""
    if Path(config["docs_dir"]) != DOCS:
        return
    for name in ROOT_PAGES:
        text = (DOCS.parent / name).read_text(encoding="utf-8").replace("](docs/", "](")
        text = text.replace("[NOTICE](NOTICE)", "`NOTICE`")
        files.append(File.generated(config, name, content=text))
    text = (DOCS.parent / SCHEMA_FILE).read_text(encoding="utf-8")
    files.append(File.generated(config, SCHEMA_IN_SITE, content=text))


#: A link to a file of claims, which works in the repository.
CLAIMS_FILE = re.compile(r"\.\./mock_server/facematch_mock_server/vendors/(\w+)/claims\.py(?=\))")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Weight a page in the search, which has no maintainers' pages; add a vendor's claims."""
    path = page.file.src_uri
    if path.startswith(UNSEARCHED):
        page.meta["search"] = {"exclude": True}
    else:
        folder = path.partition("/")[0] + "/"
        page.meta["search"] = {"boost": WEIGHTS.get(path, WEIGHTS.get(folder, 1))}
        page.meta["tags"] = WORDS.get(path, [])
    markdown = markdown.replace(f"../../{SCHEMA_FILE}", Path(SCHEMA_IN_SITE).name)
    if path == HOME:
        page.meta["hide"] = ["navigation", "toc", "path"]
        page.meta["title"] = HOME_TITLE
    markdown = CLAIMS_FILE.sub(r"vendors/\1.md#claims", markdown)
    vendor = path.removeprefix("vendors/").removesuffix(".md")
    if vendor in vendor_names():
        title = vendor_named(vendor).title
        page.meta["title"] = f"{title}: mock and backend"
        page.meta["tags"] = [*page.meta.get("tags", []), f"{title} mock"]
        markdown += claims_section(vendor)
    page.meta["as_markdown"] = markdown
    if path.startswith("reference/"):
        return with_folded_docstrings(markdown)
    return markdown


#: What mkdocstrings replaces by a documented object, with its options.
DOCSTRING = re.compile(r"(?m)^::: (\S+)\n(?: +.*\n)*")


def with_folded_docstrings(markdown: str) -> str:
    """Return a page on which each documented object is one line until a reader opens it.

    A link to the object, or to one of its members, opens it as well.
    """

    def fold(block: re.Match[str]) -> str:
        name = block[1]
        line = f"`{name.rpartition('.')[2]}`"
        found = pkgutil.resolve_name(name)
        if inspect.isclass(found) or inspect.isfunction(found):
            summary, _, _ = (inspect.getdoc(found) or "").partition("\n\n")
            line += f": {' '.join(summary.split())}"
        line = line.replace('"', "'")
        return f'??? api "{line}"\n\n{textwrap.indent(block[0], "    ")}'

    return DOCSTRING.sub(fold, markdown)


def claims_section(vendor: str) -> str:
    """Return the claims about a vendor, folded by area. The search leaves them out."""
    parts = ["\n\n## Claims { data-search-exclude }\n", claims_introduction(vendor)]
    for area, items in claims_by_area(vendor).items():
        parts.append(f'??? note "{area}: {len(items)}"\n')
        parts += [f"    {item}" for item in items]
        parts.append("")
    return "\n".join(parts)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Lay out the first page; break names in tables only at `_`, dots and brackets."""
    if page.file.src_uri == HOME:
        html = with_doors(html)
    soft = r"(?<=[\w\])][_./(=,])(?=[A-Za-z]{2})"
    code = re.compile(r"(?s)<code>.*?</code>")
    return re.sub(
        r"(?s)<t[dh]\b.*?</t[dh]>",
        lambda cell: code.sub(lambda text: re.sub(soft, "<wbr>", text[0]), cell[0]),
        html,
    )


def with_doors(html: str) -> str:
    """Return the first page with each part in a box: what it says, and beside it what it shows."""
    first, *parts = re.split(r"(?=<h2 )", html)
    doors = []
    for part in parts:
        says, beside, shows = part.partition(BESIDE)
        if beside:
            columns = f"<div>{says}</div><div>{shows}</div>"
            doors.append(f'<section class="door">{columns}</section>')
        else:
            doors.append(f"<section>{part}</section>")
    return f'<div class="home"><header>{first}</header>{"".join(doors)}</div>'


def on_env(_env: Any, config: Any, files: Files) -> None:
    """Write each page beside its HTML, as Markdown whose links lead to other pages so written."""
    for file in files.documentation_pages():
        assert file.page is not None
        markdown = with_docstring_commands(file.page.meta["as_markdown"])
        target = Path(config["site_dir"], file.src_uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(markdown, encoding="utf-8")


def on_nav(nav: Navigation, config: Any, **_: Any) -> None:
    """Keep the navigation for `on_post_build`."""
    config["extra"]["navigation"] = nav


def on_post_build(config: Any) -> None:
    """Write llms.txt: the pages of the navigation, by tab."""
    nav = config["extra"]["navigation"]
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}", ""]
    for tab in nav.items:
        lines += [f"## {tab.title}", ""]
        lines += [f"- [{page.title}]({page.file.src_uri})" for page in pages_in(tab)]
        lines.append("")
    Path(config["site_dir"], "llms.txt").write_text("\n".join(lines), encoding="utf-8")


def pages_in(item: Any) -> list[Any]:
    """Return the pages of a tab, those of its sections among them."""
    if not isinstance(item, Section):
        return [item]
    return [page for child in item.children for page in pages_in(child)]
