"""`pip install` in a third of the time: uv does it, and pip where there is no uv or uv fails.

    python requirements/install.py PYTHON ARGUMENTS...

Packages come from where pip would take them: uv heeds none of pip's settings (its variables and
pip.conf), so pip is asked for them. What is set for uv itself goes first.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

#: A setting of pip, the variable of uv, and what stands between several values in it.
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
#: Where pip reads a setting; what stands later wins.
SECTIONS = ("global", "install", ":env:")
#: What pip takes for "yes".
YES = ("y", "yes", "t", "true", "on", "1")


def pip_settings(listed: str) -> Mapping[str, list[str]]:
    """What `pip config list` lists, by name."""
    values: dict[str, list[str]] = {}
    for section in SECTIONS:
        for line in listed.splitlines():
            name, equals, value = line.partition("=")
            if equals and name.startswith(f"{section}."):
                values[name.removeprefix(f"{section}.")] = str(ast.literal_eval(value)).split()
    return values


def uv_options(listed: str) -> list[str]:
    """The same for what uv has no variable: no index at all is asked, but `find-links`."""
    is_offline = " ".join(pip_settings(listed).get("no-index", ())).lower() in YES
    return ["--no-index"] if is_offline else []


def uv_variables(listed: str) -> Mapping[str, str]:
    """The same as variables of uv."""
    values = pip_settings(listed)
    variables = {
        # The certificates of the system, and of several indexes whichever has the version: as pip.
        "UV_SYSTEM_CERTS": "true",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    for name, variable, separator in SETTINGS:
        if name in values:
            variables[variable] = separator.join(values[name])
    return variables


def install(python: str, arguments: list[str]) -> int:
    """The exit code of uv, or of pip."""
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
        print("uv failed: pip tries it now, which takes longer.", file=sys.stderr)
    command = [*pip, "--python", python, "install", "--quiet", *arguments]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(install(sys.argv[1], sys.argv[2:]))
