"""What the images and the compose example run, in one virtual environment in place of Docker."""

import contextlib
import os
import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
import yaml
from kit.rawserver import free_port
from system.compose import variables, words

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples"
PATIENCE_S = 60


@pytest.fixture
def ports():
    return {"8080": str(free_port()), "8000": str(free_port())}


@pytest.fixture
def start(environment, wheel, tmp_path, ports):
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["app"]
    environment.install(f"{wheel}[testing]", *needed)
    clean = {"HOME": str(tmp_path), "PATH": os.pathsep.join([str(environment.bin), os.defpath])}

    def ported(text):
        text = re.sub(r"\b(?:mock|app):(?=80)", "127.0.0.1:", text.replace("/home/app", "."))
        return re.sub(r"\b(8080|8000)\b", lambda match: ports[match[0]], text)

    for name in ("compose/app.py", "compose/test_service.py", "compose/mock.toml"):
        text = (EXAMPLES / name).read_text("utf-8")
        (tmp_path / Path(name).name).write_text(ported(text), "utf-8")

    def started(command, variables=()):
        words = [shutil.which(command[0], path=clean["PATH"]), *map(ported, command[1:])]
        env = clean | {name: ported(value) for name, value in dict(variables).items()}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(words, cwd=tmp_path, env=env, **pipes)

    return started


def ended(process):
    process.communicate(timeout=PATIENCE_S)
    return process.returncode


@contextlib.contextmanager
def running(process, healthy):
    """The process as soon as its health check passes; ended by SIGTERM, as Docker does."""
    end = time.monotonic() + PATIENCE_S
    try:
        while ended(healthy()) != 0:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end, "it does not become healthy"
        yield process
    finally:
        process.terminate()
        output = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode in (0, -15), output


def test_the_mock_image_becomes_healthy_and_stops_on_sigterm(start):
    dockerfile = ROOT / "Dockerfile"
    command, check = words(dockerfile, "ENTRYPOINT"), words(dockerfile, "HEALTHCHECK")
    settings = variables(dockerfile)
    assert ended(start(check, settings)) != 0, "healthy before it runs"
    with running(start(command, settings), lambda: start(check, settings)) as process:
        ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/{}').status)"
        answer = start(["python", "-c", ask.format("system/healthcheck")])
        assert answer.communicate(timeout=PATIENCE_S)[0] == "200\n"
    assert process.returncode == 0


def test_the_tests_of_the_compose_example_pass(start):
    services = yaml.safe_load((EXAMPLES / "compose/compose.yaml").read_text("utf-8"))["services"]
    dockerfile, app = ROOT / "Dockerfile", EXAMPLES / "compose/app.Dockerfile"
    mock_command, check = words(dockerfile, "ENTRYPOINT"), words(dockerfile, "HEALTHCHECK")
    settings = variables(dockerfile) | services["mock"]["environment"]
    app_check = services["app"]["healthcheck"]["test"][1:]
    with (
        running(start(mock_command, settings), lambda: start(check, settings)),
        running(start(words(app, "CMD"), services["app"]["environment"]), lambda: start(app_check)),
    ):
        tests = start(services["tests"]["command"], services["tests"]["environment"])
        output = tests.communicate(timeout=PATIENCE_S * 2)[0]
    assert tests.returncode == 0, output
    assert "3 passed" in output
