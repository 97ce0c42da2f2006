"""The Dockerfiles and the compose example: what they say, without Docker."""

import ast
import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docs/examples/compose"
DOCKERFILES = (ROOT / "Dockerfile", COMPOSE / "app.Dockerfile")


def instructions(path):
    """The instructions of a Dockerfile, in order: word and the rest of the line."""
    text = re.sub(r"(?m)^#.*\n", "", path.read_text("utf-8")).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def last(path, word):
    return [rest for name, rest in instructions(path) if name == word][-1]


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))["services"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_nothing_runs_as_root(path):
    """And what is started is not wrapped in a shell, so signals arrive."""
    words = [word for word, _ in instructions(path)]
    assert int(last(path, "USER")) > 0
    assert words.index("USER") < words.index("CMD")
    assert all(isinstance(part, str) for part in json.loads(last(path, "CMD")))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_is_copied_is_there_and_reaches_docker(path):
    """Each name exists, and .dockerignore lets it through."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    let_through = [line[1:] for line in lines if line.startswith("!")]
    sources = [rest.split()[:-1] for word, rest in instructions(path) if word == "COPY"]
    names = [name for names in sources if not names[0].startswith("--") for name in names]
    assert names
    for name in names:
        assert (ROOT / name).exists(), name
        assert any(name == one or name.startswith(f"{one}/") for one in let_through), name


def test_the_image_gets_every_package_of_the_wheel():
    """Whatever the wheel is built of is in the first stage."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    packages = ast.literal_eval(re.search(r"(?s)packages = (\[.*?\])", text)[1])
    copied = [rest.split()[0] for word, rest in instructions(ROOT / "Dockerfile") if word == "COPY"]
    assert all(any(fnmatch(one, f"{top}*") for top in copied) for one in packages)


def test_the_ports_agree(services):
    """EXPOSE, command and health check name the same one, in image and example."""
    dockerfile = ROOT / "Dockerfile"
    port = last(dockerfile, "EXPOSE")
    assert port in json.loads(last(dockerfile, "CMD"))
    assert f"'127.0.0.1', {port}" in last(dockerfile, "HEALTHCHECK")
    assert port in services["mock"]["command"]
    assert services["app"]["environment"]["DIDIT_BASE_URL"].endswith(f":{port}")
    app = last(COMPOSE / "app.Dockerfile", "EXPOSE")
    assert app in json.loads(last(COMPOSE / "app.Dockerfile", "CMD"))
    assert services["tests"]["environment"]["APP_URL"].endswith(f":{app}")


def test_the_mock_of_the_example_is_reached_from_nowhere_else(services):
    """It listens on the loopback that the three share, and no port is published."""
    assert "127.0.0.1" in services["mock"]["command"]
    assert not any("ports" in service for service in services.values())
    assert services["app"]["network_mode"] == services["tests"]["network_mode"] == "service:mock"


def test_the_arguments_of_the_image_are_understood():
    """The mock would start with them: it takes each option, and lets nobody control it."""
    words = json.loads(last(ROOT / "Dockerfile", "CMD"))
    assert "--no-control" in words
    check = f"""
from facematch_mock_server.cli import command
context = command.make_context("mock", {words!r})
assert context.params["no_control"] and context.params["host"] == "0.0.0.0", context.params
"""
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)
