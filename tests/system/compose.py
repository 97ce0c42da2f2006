"""Run a compose.yaml without Docker: each service in a network of its own.

This file is run by `unshare --net --mount`. Nothing is pulled: what an image runs must be on this
machine, and the service that is built is the one of the Dockerfile. A volume is a folder, whose
path replaces its place in the container wherever the file names it.

    unshare --net --mount python compose.py COMPOSE_FILE DOCKERFILE SCRATCH SERVICE
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

PATIENCE_S = 240
#: Waits until the network is connected, and runs the words that follow.
ENTER = """
mount --bind "$1" /etc/hosts && read -r address &&
ip link set lo up && ip address add "$address/24" dev eth0 && ip link set eth0 up && shift &&
exec "$@" </dev/null
"""


def words(path, instruction):
    """Return the list of a Dockerfile's last instruction of this name."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    return json.loads(re.findall(rf"(?m)^{instruction}\b[^\[\n]*(\[.*\])$", text)[-1])


def variables(path):
    """Return the variables of a Dockerfile's last ENV."""
    (*_, line) = re.findall(r"(?m)^ENV (.*)$", path.read_text("utf-8"))
    return dict(pair.split("=", 1) for pair in line.split())


class Compose:
    """The services of a file."""

    def __init__(self, file, dockerfile, scratch):
        self.file, self.dockerfile, self.scratch = file, dockerfile, scratch
        document = yaml.safe_load(file.read_text("utf-8"))
        self.services, self.volumes = document["services"], document.get("volumes", {})
        self.addresses = {name: f"10.77.0.{at}" for at, name in enumerate(self.services, 1)}
        lines = ["127.0.0.1 localhost"]
        for name, service in self.services.items():
            networks = service["networks"]
            settings = networks.values() if isinstance(networks, dict) else ()
            aliases = [alias for each in settings if each for alias in each["aliases"]]
            lines.append(" ".join([self.addresses[name], name, *aliases]))
        self.hosts = scratch / "hosts"
        self.hosts.write_text("".join(f"{line}\n" for line in lines))
        self.running = {}
        ip("link", "add", "network", "type", "bridge")
        ip("link", "set", "network", "up")

    def start(self, name):
        """Start a service after those that it depends on, as soon as they are as it wants them."""
        needed = self.services[name].get("depends_on", ())
        for other in needed:
            condition = needed[other]["condition"] if isinstance(needed, dict) else None
            if other not in self.running:
                self.start(other)
            if condition == "service_healthy":
                self.wait_until_healthy(other)
        process = self.popen(name)
        while network_of(process.pid) == network_of("self"):
            time.sleep(0.01)  # `unshare` has not begun
        # The other end of the cable is in the network of the service.
        ends = ("add", f"to-{name}", "type", "veth", "peer", "name", "eth0")
        ip("link", *ends, "netns", str(process.pid))
        ip("link", "set", f"to-{name}", "master", "network", "up")
        process.stdin.write(f"{self.addresses[name]}\n".encode())
        process.stdin.close()
        self.running[name] = process

    def popen(self, name):
        service = self.services[name]
        is_built = "build" in service
        command = words(self.dockerfile, "ENTRYPOINT") if is_built else service["command"]
        program = [self.translated(name, word) for word in command]
        return subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", ENTER, "sh", self.hosts, *program],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env=self.environment_of(name),
            cwd=self.translated(name, service.get("working_dir", "/tmp")),
        )

    def environment_of(self, name):
        service = self.services[name]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.scratch)}
        given = variables(self.dockerfile) if "build" in service else {}
        for key, value in {**given, **service["environment"]}.items():
            # The path of this test has the programs of the image.
            if key != "PATH":
                environment[key] = self.translated(name, str(value))
        return environment

    def translated(self, name, text):
        """Return a text with the folders of the volumes in place of the container's paths."""
        places = {"/tmp": self.scratch}
        for volume in self.services[name].get("volumes", ()):
            source, place = volume.split(":")[:2]
            if source in self.volumes:
                places[place] = self.scratch / source
                places[place].mkdir(exist_ok=True)
            else:
                places[place] = (self.file.parent / source).resolve(strict=True)
        for place, path in places.items():
            text = re.sub(rf"(?<![\w/.]){place}(?![\w.])", str(path), text)
        return text

    def wait_until_healthy(self, name):
        end = time.monotonic() + PATIENCE_S
        network = f"--net=/proc/{self.running[name].pid}/ns/net"
        check = ["nsenter", network, *words(self.dockerfile, "HEALTHCHECK")]
        environment = self.environment_of(name)
        while subprocess.call(check, env=environment, stderr=subprocess.DEVNULL) != 0:
            if self.running[name].poll() is not None or time.monotonic() > end:
                sys.exit(f"{name} does not become healthy")
            time.sleep(0.1)

    def stop(self):
        for process in self.running.values():
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.killpg(process.pid, signal.SIGKILL)  # also what `go run` has started
            process.wait()


def network_of(process_id):
    return Path(f"/proc/{process_id}/ns/net").readlink()


def ip(*arguments):
    subprocess.run([shutil.which("ip") or "/usr/sbin/ip", *arguments], check=True)


if __name__ == "__main__":
    *paths, last = sys.argv[1:]
    compose = Compose(*(Path(path) for path in paths))
    try:
        compose.start(last)
        code = compose.running[last].wait(timeout=PATIENCE_S)
    finally:
        compose.stop()
    sys.exit(code)
