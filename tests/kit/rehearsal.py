"""Rehearse a release on this machine: all of it but the accounts.

``make rehearse`` builds the files first, then runs this: the release's notes, the lines that a
release makes untrue, the links of the metadata, the steps of the image without Docker (with nothing
but the files that the Dockerfile copies), and each extra on each Python that is here. It exits with
1 if one step fails. ``make rehearse STEPS=words`` also writes the lines.
"""

from __future__ import annotations

import difflib
import email
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

from kit.repository import tracked_files

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
TIMEOUT_S = 1800
#: What a text says as long as there is nothing to install by its name, and what it says then.
ONLY_BEFORE_PYPI = {
    r'pip install "\.\[(?!dev\])([\w,]+)\]"': r'pip install "facematch-core[\1]"',
    r"pip install \.(?=[ `\n])": "pip install facematch-core",
    r"(pip install (?:\S+ )?|\n)\./backends/facematch_local": r"\1facematch-local",
    r"\./backends/\{distribution\.replace\('-', '_'\)\}": "{distribution}",
    r"(?:From|In) a checkout( of facematch)?:": "Install it:",
    r"From a checkout \(": "Install it (",
    r"built in a checkout by pip": "with pip",
    r"(`\{command\}`|facematch-local`) in a checkout(?: of facematch)?": r"\1",
    r"it is not on PyPI (?=\|)": "pip asks another index than PyPI ",
    r" The package is not on PyPI yet:\s+always install from a local path\.": "",
    r"(same version)\. Neither is\s+on\s+PyPI\.": r"\1.",
    r"(Python 3\.11 to 3\.14), not on PyPI yet: in a copy of this repository\.": r"\1.",
    r"Do not `pip install facematch-core`: who registers that name [^.]+\. ": "",
    r"Our package is not on PyPI: a package named `facematch-core` is not ours, nor is ": (
        "On PyPI, `facematch-core` and `facematch-local` are ours, unlike "
    ),
    r"in a fork, once the repository has a public address": "in a fork",
    r"Before the first release, the six steps of [^\n]+\n[^\n]+ have been run yet\.\s+": "",
}
#: What is left for the owner's hand, because it needs an address of the owner's.
OWNERS_WORDS = r"no public\s+(?:repository|address)|no published image"
PUBLISHED_TEXTS = ("CITATION.cff", "facematch_core/config/plugins.py")


class Failed(Exception):
    """A step that did not end well; the text says why."""


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        **options,
    )
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def runs(python):
    """Return whether a Python is here, and not only a name of pyenv's."""
    if shutil.which(python) is None:
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def check_extras(core, engine):
    """Install each extra alone, on each Python."""
    script = ROOT / "tests/kit/extras.py"
    for version in PYTHONS:
        python = f"python{version}"
        if runs(python):
            print(run(sys.executable, script, core, engine, "--python", python), end="")
            print(f"extras on Python {version}: work")
        else:
            print(f"extras on Python {version}: not tried, it is not here")


def check_metadata(core):
    """Print the links of the metadata; fail if one is relative though there is an address."""
    with zipfile.ZipFile(core) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    links = metadata.get_all("Project-URL", [])
    targets = re.findall(r"\]\(([^)]+)\)", metadata.get_payload())
    relative = [target for target in targets if not target.startswith(("https://", "#"))]
    if links and relative:
        raise Failed(f"relative links in the metadata: {relative}")
    if not links:
        print("links of the metadata: none, because pyproject.toml has no repository yet")
    else:
        print(f"links of the metadata: {'; '.join(links)}")


def check_notes(version):
    """Print how long the notes of the release are; fail if that is nothing or no screen."""
    section = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition(f"## [{version}]")[2]
    notes = section.partition("\n")[2].partition("\n##")[0]
    words = len(notes.split())
    if not 0 < words <= 300:
        raise Failed(f"the notes of {version} have {words} words: wanted 1 to 300")
    print(f"notes of {version}: {words} words")


def published(text):
    """Return a text as it is once the files are on PyPI."""
    for before, after in ONLY_BEFORE_PYPI.items():
        text = re.sub(before, after, text, flags=re.DOTALL)
    return text


def texts_to_publish():
    """Return the published texts of the repository, by file."""
    others = (".github/", "CHANGELOG.md", "tests/")
    pages = [name for name in tracked_files() if name.endswith(".md")]
    published_names = [name for name in pages if not name.startswith(others)]
    return {
        ROOT / name: (ROOT / name).read_text(encoding="utf-8")
        for name in (*published_names, *PUBLISHED_TEXTS)
    }


def check_words(*, write):
    """Print the lines that are true only before the files are on PyPI; write those of after."""
    changed = 0
    for file, text in texts_to_publish().items():
        after = published(text)
        name = file.relative_to(ROOT)
        for line in difflib.ndiff(text.splitlines(), after.splitlines()):
            if line.startswith(("- ", "+ ")):
                print(f"{name}: {line}")
                changed += line.startswith("- ")
        for found in re.finditer(OWNERS_WORDS, text):
            print(f"{name}:{text.count(chr(10), 0, found.start()) + 1}: for your hand")
        if write:
            file.write_text(after, encoding="utf-8")
    print(f"{'written' if write else 'to write with the tag'}: {changed} lines")


def copied_files(dockerfile):
    """Return the files that the first stage of a Dockerfile copies from the repository."""
    stage = dockerfile.read_text(encoding="utf-8").partition("\nFROM ")[2].partition("\nFROM ")[0]
    names = []
    for line in stage.splitlines():
        if line.startswith("COPY "):
            names += line.split()[1:-1]
    return names


def check_image():
    """Build the mock's wheel from what the Dockerfile copies, install its pins, and start it."""
    with tempfile.TemporaryDirectory(prefix="facematch-image-") as name:
        folder = Path(name)
        source = folder / "src"
        source.mkdir()
        for copied in copied_files(ROOT / "Dockerfile"):
            if (ROOT / copied).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
                shutil.copytree(ROOT / copied, source / copied, ignore=ignored)
            else:
                shutil.copy(ROOT / copied, source)
        pip = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps")
        for environment, pins in (("build", "publish.txt"), ("mock", "mock.txt")):
            run(sys.executable, "-m", "venv", folder / environment)
            python = folder / environment / "bin/python"
            run(python, *pip, "--require-hashes", "--requirement", source / "requirements" / pins)
        python = folder / "build/bin/python"
        run(python, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, cwd=source)
        (wheel,) = folder.glob("*.whl")
        run(folder / "mock/bin/python", *pip, wheel)
        check_mock(folder / "mock/bin/facematch", folder)
    print("image: the mock starts from what the Dockerfile copies")


def check_mock(facematch, folder):
    """Start the mock server, and ask for its health."""
    command = [str(facematch), "mock", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as mock:
        try:
            url = mock.stdout.readline().strip()
            if not url.startswith("http://127.0.0.1:"):
                raise Failed(f"facematch mock printed {url!r}")
            with urllib.request.urlopen(f"{url}/__mock__/health", timeout=10) as answer:
                answer.read()
        finally:
            mock.terminate()


def main():
    (core,) = (ROOT / "dist").glob("facematch_core-*.whl")
    (engine,) = (ROOT / "dist").glob("facematch_local-*.whl")
    steps = {
        "notes": lambda: check_notes(core.name.split("-")[1]),
        "words": lambda: check_words(write="words" in sys.argv[1:]),
        "metadata": lambda: check_metadata(core),
        "image": check_image,
        "extras": lambda: check_extras(core, engine),
    }
    failures = 0
    for name, step in steps.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        started_s = time.monotonic()
        try:
            step()
        except Failed as error:
            failures += 1
            print(f"{name}: fails\n{error}", flush=True)
        else:
            print(f"{name}: {time.monotonic() - started_s:.0f} s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
