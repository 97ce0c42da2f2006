"""How the Makefile installs: from where pip would, and into which folder."""

import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALL = runpy.run_path(str(ROOT / "requirements" / "install.py"))


@pytest.mark.parametrize(
    ("listed", "variables"),
    [
        ("", {}),
        ("global.index-url='https://a/simple'", {"UV_DEFAULT_INDEX": "https://a/simple"}),
        # What is nearer to the command wins: pip install's own section, then a variable.
        ("install.index-url='b'\nglobal.index-url='a'", {"UV_DEFAULT_INDEX": "b"}),
        (":env:.index-url='c?d=e'\nglobal.index-url='a'", {"UV_DEFAULT_INDEX": "c?d=e"}),
        (r"global.extra-index-url='\nhttps://a\nhttps://b'", {"UV_INDEX": "https://a https://b"}),
        ("global.find-links='/a /b'", {"UV_FIND_LINKS": "/a,/b"}),
        ("global.trusted-host='a b'", {"UV_INSECURE_HOST": "a b"}),
        ("global.proxy='http://a:1'", {"ALL_PROXY": "http://a:1"}),
        ("global.cert='a'\nglobal.client-cert='b'", {"SSL_CERT_FILE": "a", "SSL_CLIENT_CERT": "b"}),
        (":env:.default-timeout='180'", {"UV_HTTP_TIMEOUT": "180"}),
        ("freeze.timeout='10'\nglobal.no-color='true'", {}),
    ],
)
def test_pip_settings_are_passed_to_uv_in_variables(listed, variables):
    assert INSTALL["uv_variables"](listed) == INSTALL["uv_variables"]("") | variables
    assert INSTALL["uv_options"](listed) == []


@pytest.mark.parametrize(
    ("listed", "options"),
    [
        ("global.no-index='true'", ["--no-index"]),
        (":env:.no-index='1'", ["--no-index"]),
        ("global.no-index='true'\n:env:.no-index='0'", []),
        ("download.no-index='true'", []),
        ("global.no-index=''", []),
    ],
)
def test_pip_without_an_index_is_uv_without_one(listed, options):
    assert INSTALL["uv_options"](listed) == options
    assert INSTALL["uv_variables"](listed) == INSTALL["uv_variables"]("")


@pytest.mark.parametrize("target", ["demo", "test-wheel"])
def test_the_checkout_path_may_contain_a_space(tmp_path, target):
    folder = tmp_path / "a copy"
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    # What would be run, and nothing of it is.
    command = ["make", "--dry-run", target]
    dry = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    words = shlex.split(dry.stdout, comments=True)
    assert any(str(folder) in word for word in words)
    assert not any(word.endswith(str(folder).partition(" ")[0]) for word in words)
