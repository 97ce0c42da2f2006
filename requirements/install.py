"""`pip install` in a third of the time: with uv, or with pip if uv is missing or fails.

    python requirements/install.py PYTHON ARGUMENTS...

Packages come from pip's index: uv ignores pip's settings (its variables and pip.conf), so this
program reads them from pip. Settings of uv itself take precedence.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

#: A setting of pip, the variable of uv, and the separator of several values in it.
SETTINGS = [
    ("index-url", "UV_DEFAULT_INDEX", " "),
    ("extra-index-url", "UV_INDEX", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("trusted-host", "UV_INSECURE_HOST", " "),
    ("proxy", "ALL_PROXY", " "),
    ("cert", "SSL_CERT_FILE", " "),
    ("client-cert", "SSL_CLIENT_CERT", " "),
    ("timeout", "UV_HTTP_TIMEOUT", " "),
    ("default-timeout", "UV_HTTP_TIMEOUT", " "),
]
#: Where pip reads a setting; later ones take precedence.
SECTIONS = ("global", "install", ":env:")
#: Values that pip accepts as true.
YES = ("y", "yes", "t", "true", "on", "1")


def pip_settings(listed: str) -> Mapping[str, list[str]]:
    """Parse the output of `pip config list`: values by name."""
    values: dict[str, list[str]] = {}
    for section in SECTIONS:
        for line in listed.splitlines():
            name, equals, value = line.partition("=")
            if equals and name.startswith(f"{section}."):
                values[name.removeprefix(f"{section}.")] = str(ast.literal_eval(value)).split()
    return values


def uv_options(listed: str) -> list[str]:
    """Return options of uv for settings without a variable: no index, only `find-links`."""
    is_offline = " ".join(pip_settings(listed).get("no-index", ())).lower() in YES
    return ["--no-index"] if is_offline else []


def uv_variables(listed: str) -> Mapping[str, str]:
    """Return the settings as environment variables of uv."""
    values = pip_settings(listed)
    variables = {
        # Like pip: use the system's certificates, and of several indexes any that has the version.
        "UV_SYSTEM_CERTS": "true",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    for name, variable, separator in SETTINGS:
        if name in values:
            variables[variable] = separator.join(values[name])
    return variables


def install(python: str, arguments: list[str]) -> int:
    """Install with uv, or with pip; return the exit code."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        config = [*pip, "config", "list"]
        listed = subprocess.run(config, stdout=subprocess.PIPE, text=True, check=True).stdout
        command = [str(uv), "pip", "install", "--quiet", "--python", python]
        command += [*uv_options(listed), *arguments]
        environment = {**uv_variables(listed), **os.environ}
        if subprocess.run(command, env=environment, check=False).returncode == 0:
            return 0
        print("uv failed: trying pip, which takes longer.", file=sys.stderr)
    command = [*pip, "--python", python, "install", "--quiet", *arguments]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(install(sys.argv[1], sys.argv[2:]))
