"""The page for front ends: its Playwright test runs in Chromium, with Sumsub's web SDK."""

import datetime as dt
import re
from pathlib import Path

import pytest
from system.shop import open_shop

from facematch_core import Person, open_sessions
from facematch_mock_server import MockServer

PAGE = Path(__file__).parents[2] / "docs/test/test-the-camera-step.md"
ADA = Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
PACKAGES = ("@playwright/test@1.65.1", "@sumsub/websdk@2.9.0")
CONFIGURATION = """
const launchOptions = {{ executablePath: "{chromium}", args: ["--no-sandbox"] }};
export default {{ use: {{ launchOptions }} }};
"""
#: The shop's page, which shows what its server says.
SHOP = """
    const ask = (path) => fetch(path).then((answer) => answer.text());
    document.body.innerHTML = "<button>Verify me</button><p role=status></p><div id=sdk></div>";
    const [button, status] = document.body.children;
    button.onclick = async () => snsWebSdk.init(await ask("/token"), () => ask("/token"))
      .on("idCheck.onApplicantStatusChanged", async () => {
        status.textContent = await ask("/verified");
      })
      .build().launch("#sdk");
"""


def block_of(title):
    return re.search(rf'```\w+ title="{title}"\n(.*?)```', PAGE.read_text(), re.DOTALL)[1]


@pytest.fixture
def folder(find_program, install_from_npm, tmp_path):
    install_from_npm(tmp_path, *PACKAGES)
    configuration = CONFIGURATION.format(chromium=find_program("chromium"))
    (tmp_path / "playwright.config.mjs").write_text(configuration)
    return tmp_path


def test_playwrights_test_of_the_page_runs_in_chromium(find_program, run_command, folder):
    sdk = (folder / "node_modules/@sumsub/websdk/dist/index.js").read_bytes()
    settings = {"level_name": "id-and-liveness", "compared_with": "document"}
    with MockServer(vendor="sumsub") as mock, open_shop(sdk) as shop:
        settings |= {"app_token": mock.client_id, "secret_key": mock.live_key}
        sessions = open_sessions(
            "sumsub", base_url=mock.url, require_environment="mock", **settings
        )
        records = []

        def start():
            started = sessions.start(sessions.plan("customer-17", purpose="signup"))
            records.append(started.record)
            return started.access.token.reveal()

        def verified():
            result = sessions.read(records[-1], document=ADA)
            wanted = {"purpose": "signup", "about": None, "max_age_s": 600}
            return "Welcome" if result.is_verified_for("customer-17", **wanted) else "Not verified"

        shop.script = SHOP
        shop.answers = {"/token": start, "/verified": verified}
        program = block_of("camera.spec.ts").replace("http://127.0.0.1:8080", mock.url)
        program = program.replace("http://localhost:3000", shop.url)
        (folder / "camera.spec.ts").write_text(program)
        shown = run_command(find_program("npx"), "playwright", "test", "--workers=1", cwd=folder)
        sessions.close()
    assert "4 passed" in shown
    assert len(records) == 4


def test_cypress_test_of_the_page_is_valid_javascript(find_program, run_command, tmp_path):
    (tmp_path / "camera.mjs").write_text(block_of("cypress/e2e/camera.cy.js"))
    run_command(find_program("node"), "--check", "camera.mjs", cwd=tmp_path)
