"""The environment variables that bring a program to a door."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .authority import STORE_PASSWORD
from .door import Door

_HERE = Path(__file__).parent
#: Each names a file of trusted authorities; curl and boto3 prefer the last two, which may be set.
_CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
)
_LOOPBACK = "localhost,127.0.0.1,::1"


def variables_for(door: Door, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to set, by name, for a program with this environment.

    Variables that hold a list, such as ``NODE_OPTIONS``, keep what they have.
    """
    pem = str(door.authority.pem)
    variables = {}
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        variables[name] = variables[name.lower()] = door.url
    variables["NO_PROXY"] = variables["no_proxy"] = _LOOPBACK
    for name in _CA_VARIABLES:
        variables[name] = pem
    variables["NODE_USE_ENV_PROXY"] = "1"
    # --require, because versions of Node before 18.19 do not start with --import.
    preload = str(_HERE / "node_hook" / "preload.cjs").replace("\\", "\\\\")
    variables["NODE_OPTIONS"] = _add(environment, "NODE_OPTIONS", f'--require "{preload}"')
    variables["PHP_INI_SCAN_DIR"] = _add_last(environment, "PHP_INI_SCAN_DIR", "php_hook")
    variables["FACEMATCH_DOOR_PHP"] = str(_HERE / "php_hook" / "prepend.php")
    variables["RUBYLIB"] = _add_first(environment, "RUBYLIB", "ruby_hook")
    variables["RUBYOPT"] = _add(environment, "RUBYOPT", "-rfacematch_door")
    java = " ".join(
        f"-D{name}={value}"
        for name, value in {
            "https.proxyHost": "127.0.0.1",
            "https.proxyPort": door.port,
            "http.proxyHost": "127.0.0.1",
            "http.proxyPort": door.port,
            "http.nonProxyHosts": "localhost|127.*|[::1]",
            # A client with NO_PROXY then finds no host, instead of the vendor's.
            "jdk.net.hosts.file": f'"{door.authority.hosts_file}"',
            "javax.net.ssl.trustStore": f'"{door.authority.java_store}"',
            "javax.net.ssl.trustStorePassword": STORE_PASSWORD,
            "javax.net.ssl.trustStoreType": "PKCS12",
        }.items()
    )
    variables["JAVA_TOOL_OPTIONS"] = _add(environment, "JAVA_TOOL_OPTIONS", java)
    variables["PYTHONPATH"] = _add_first(environment, "PYTHONPATH", "python_hook")
    variables["FACEMATCH_DOOR_SPKI"] = door.authority.key_digest
    # Read by the hooks.
    variables["FACEMATCH_DOOR_PORT"] = str(door.port)
    variables["FACEMATCH_DOOR_HOSTS"] = ",".join(sorted(door.hosts))
    variables["FACEMATCH_DOOR_CA"] = pem
    return variables


def _add(environment: Mapping[str, str], name: str, option: str) -> str:
    return f"{environment.get(name, '')} {option}".strip()


def _add_first(environment: Mapping[str, str], name: str, folder: str) -> str:
    present = environment.get(name)
    return f"{_HERE / folder}{os.pathsep}{present}" if present else str(_HERE / folder)


def _add_last(environment: Mapping[str, str], name: str, folder: str) -> str:
    # An empty part of PHP's list is the folder that was compiled in.
    return f"{environment.get(name, '')}{os.pathsep}{_HERE / folder}"
