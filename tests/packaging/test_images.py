import ast
import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from facematch_mock_server import MockServer
from facematch_mock_server.cli import command
from facematch_mock_server.vendors import vendor_named

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docs/examples/compose"
DOCKERFILES = (ROOT / "Dockerfile", COMPOSE / "app.Dockerfile")


def instructions(path):
    text = re.sub(r"(?m)^#.*\n", "", path.read_text("utf-8")).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def last(path, word):
    return [rest for name, rest in instructions(path) if name == word][-1]


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))["services"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_containers_do_not_run_as_root(path):
    words = [word for word, _ in instructions(path)]
    assert int(last(path, "USER")) > 0
    start = "ENTRYPOINT" if "ENTRYPOINT" in words else "CMD"
    assert words.index("USER") < words.index(start)
    assert all(isinstance(part, str) for part in json.loads(last(path, start)))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_copied_files_exist_and_are_not_ignored_by_docker(path):
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    let_through = [line[1:] for line in lines if line.startswith("!")]
    names = []
    for word, rest in instructions(path):
        *sources, _target = rest.split()
        if word == "COPY" and not rest.startswith("--"):
            names += sources
    assert names
    for name in names:
        assert (ROOT / name).exists(), name
        assert any(f"{name}/".startswith(f"{entry}/") for entry in let_through), name


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_images_get_what_the_build_of_the_wheel_reads(path):
    copied = set()
    for word, rest in instructions(path):
        if word == "COPY":
            copied.update(rest.split()[:-1])
    hook = (ROOT / "hatch_build.py").read_text("utf-8")
    read = {name.partition("/")[0] for name in re.findall(r'root / "([^"]+)"', hook)}
    assert {"docs", "facematch_core"} <= read
    assert copied >= read | {"hatch_build.py", "pyproject.toml", "README.md", "SECURITY.md"}


def test_the_image_gets_every_package_of_the_wheel():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    packages = ast.literal_eval(re.search(r"(?s)only-include = (\[.*?\])", text)[1])
    copied = [rest.split()[0] for word, rest in instructions(ROOT / "Dockerfile") if word == "COPY"]
    assert all(any(fnmatch(package, f"{top}*") for top in copied) for package in packages)


#: The examples whose application finds the mock by its vendor's name.
BY_NAME = sorted(COMPOSE.glob("*/compose.yaml"))


def test_each_language_has_an_example():
    assert sorted(path.parent.name for path in BY_NAME) == ["go", "java", "node", "php"]


@pytest.mark.parametrize("path", BY_NAME, ids=lambda path: path.parent.name)
def test_examples_by_name_are_reached_from_this_machine_alone_and_call_nobody(path):
    document = yaml.safe_load(path.read_text("utf-8"))
    services = document["services"]
    published = {name: service.pop("ports", []) for name, service in services.items()}
    assert published == {"mock": ["127.0.0.1:8080:8080"], "app": [], "tests": []}
    assert [services[name]["networks"] for name in ("app", "tests")] == [["closed"], ["closed"]]
    assert document["networks"] == {"closed": {"internal": True}}
    # The aliases are all hosts of the vendor that the application names.
    settings = services["mock"]["environment"]
    vendor = vendor_named(settings["FACEMATCH_MOCK_VENDOR"])
    (program,) = [each for each in path.parent.iterdir() if each != path]
    hosts = {
        urlsplit(url).hostname for url in re.findall(r"https://[^\s\"'`]+", program.read_text())
    }
    assert hosts == set(services["mock"]["networks"]["closed"]["aliases"])
    assert all(vendor.has_host(host) for host in hosts)
    # The door's port, and the certificate's folder, which the image's user may write.
    assert settings["FACEMATCH_MOCK_DOOR_PORT"] == 443
    run = " ".join(rest for word, rest in instructions(ROOT / "Dockerfile") if word == "RUN")
    assert f"--owner mock {settings['FACEMATCH_MOCK_CA_FOLDER']}" in run


def test_image_has_the_packages_of_the_door():
    pinned = (ROOT / "requirements/mock.txt").read_text("utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for requirement in extras["optional-dependencies"]["door"]:
        name = re.match(r"[\w-]+", requirement)[0]
        assert re.search(rf"(?m)^{name}==", pinned), name


def test_example_containers_publish_no_ports(services):
    assert not any({"ports", "network_mode"} & set(service) for service in services.values())
    token = services["mock"]["environment"]["FACEMATCH_MOCK_CONTROL_TOKEN"]
    assert services["tests"]["environment"]["MOCK_TOKEN"] == token


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [("mock", "{}"), ("mock\0--port\0{}", "1"), ("mock\0--host\0::\0--port={}\0", "1")],
)
def test_the_health_check_follows_the_port(tmp_path, arguments, variable):
    *python, program = json.loads(last(ROOT / "Dockerfile", "HEALTHCHECK").partition("CMD ")[2])
    assert python == ["python", "-c"]
    place = tmp_path / "cmdline"
    with MockServer() as mock:
        port = urlsplit(mock.url).port
        place.write_text(f"facematch\0{arguments.format(port)}")
        command = [sys.executable, "-c", program.replace("/proc/1/cmdline", str(place))]
        how = {"stderr": subprocess.DEVNULL, "env": {"FACEMATCH_MOCK_PORT": variable.format(port)}}
        assert subprocess.call(command, timeout=240, **how) == 0
    assert subprocess.call(command, timeout=240, **how) != 0


def test_environment_variables_of_the_recipes_are_options():
    page = (ROOT / "docs/test/use-the-mock.md").read_text("utf-8")
    options = {name[2:].upper().replace("-", "_") for o in command.params for name in o.opts}
    # The token is no option: every user of the machine sees a command's arguments.
    assert set(re.findall(r"FACEMATCH_MOCK_([A-Z_]+)", page)) <= options | {"CONTROL_TOKEN"}


def test_the_deployment_page_stops_on_signals_and_mounts_its_secrets():
    page = (ROOT / "docs/apps/run-it.md").read_text("utf-8")
    files = dict(re.findall(r'(?s)title="([^"]+)"\n(.*?)```', page))
    services = yaml.safe_load(files["compose.yaml"])["services"].values()
    ours = [service for service in services if service["image"] == "shop"]
    # Neither Python nor a shell that is the first process of a container ends by SIGTERM.
    assert [service["init"] for service in ours] == [True] * 3
    for name in ("facematch.toml", "rehearsal.toml"):
        named = set(re.findall(r"/run/secrets/(\w+)", files[name]))
        assert all(named == set(service["secrets"]) for service in ours)
