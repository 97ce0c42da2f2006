"""A TypeScript client that a generator makes from the mock's OpenAPI document."""

import json
import shutil
from pathlib import Path

import requests

from facematch_mock_server import MockServer, card_sheet

PACKAGES = ("@hey-api/openapi-ts@0.95.0", "typescript@5.9.3", "@types/node@20.19.9")
SCRIPT = Path(__file__).with_name("openapi_client.ts")
TSC = "--strict --noUncheckedIndexedAccess --skipLibCheck --target es2022 --module commonjs"


def test_a_generated_client_uploads_two_files_and_reads_a_score_and_an_error(
    find_program, run_command, tmp_path
):
    npm, npx, node = map(find_program, ("npm", "npx", "node"))
    picture = tmp_path / "p1.png"
    picture.write_bytes(card_sheet()["p1"].data)
    shutil.copy(SCRIPT, tmp_path / "main.ts")
    run_command(npm, "install", "--silent", "--no-save", *PACKAGES, cwd=tmp_path)
    with MockServer() as mock:
        listed = requests.get(f"{mock.url}/openapi.json", timeout=10).json()["documents"]
        document = mock.url + listed["didit"]
        run_command(npx, "openapi-ts", "-i", document, "-o", "client", cwd=tmp_path)
        # Its types hold: an error of the compiler would end the test.
        run_command(npx, "tsc", *TSC.split(), "--outDir", "out", "main.ts", cwd=tmp_path)
        arguments = ("out/main.js", mock.url, mock.live_key, picture)
        printed = json.loads(run_command(node, *arguments, cwd=tmp_path))
    assert printed == {"score": 95.47, "status": 401, "words": "Invalid API Key."}
