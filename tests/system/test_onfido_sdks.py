"""Onfido's own clients `onfido-python` and `@onfido/api`, unmodified, against the mock."""

import json
import os

import pytest

from facematch_core import open_sessions
from facematch_mock_server import Fault, MockServer, card_sheet

PYTHON_SDK = "onfido-python==6.2.0"
NODE_SDK = "@onfido/api@6.2.0"
#: Clients that write a slash at the end of a path; the second one asks for version 3.4.
OLDER_NODE_SDKS = ("2.9.0", "2.3.1")
WORKFLOW = "5025d9fd-7842-4805-bce1-a7bfd7131b4e"
WEBHOOK_TOKEN = "onfido-webhook-token"
NOBODY = "http://127.0.0.1:9/hook"

#: Each begins with a client by the environment, and prints `seen` at its end.
PYTHON_HEAD = """
import json, os
import onfido
from onfido.exceptions import ApiException
configuration = onfido.Configuration(api_token=os.environ.get("TOKEN"))
if "CLIENT_ID" in os.environ:
    configuration = onfido.Configuration(
        oauth_client_id=os.environ["CLIENT_ID"], oauth_client_secret=os.environ["CLIENT_SECRET"]
    )
configuration.host = os.environ["MOCK_URL"] + "/v3.6"
configuration.retries = 0
api = onfido.DefaultApi(onfido.ApiClient(configuration))
seen = {}
"""
NODE_HEAD = """
const onfido = require("@onfido/api");
const seen = {};
const configuration = new onfido.Configuration({
  apiToken: process.env.TOKEN,
  region: onfido.Region.EU,
  basePath: process.env.MOCK_URL + "/v3.6",
  baseOptions: { timeout: 20000 },
});
const api = new onfido.DefaultApi(configuration);
(async () => {
"""

PYTHON_START = """
applicant = api.create_applicant(onfido.ApplicantBuilder(first_name="Ada", last_name="Lovelace"))
run = api.create_workflow_run(onfido.WorkflowRunBuilder(
    applicant_id=applicant.id, workflow_id=os.environ["WORKFLOW"], tags=["tag-1"],
    link=onfido.WorkflowRunLink(language="de_DE"),
))
seen |= {"id": str(run.id), "status": run.status, "link": run.link.url, "tags": run.tags}
seen["listed"] = [str(each.id) for each in api.list_workflow_runs(tags=["tag-1"])]
seen["other"] = len(api.list_workflow_runs(tags=["tag-2"]))
"""
PYTHON_READ = """
run = api.find_workflow_run(os.environ["RUN"])
selfie = run.output["selfie"]
seen |= {"status": run.status, "result": selfie["result"], "sdk_token": run.sdk_token}
seen["sandbox"] = api.find_applicant(run.applicant_id).sandbox
"""
PYTHON_DELETE = """
applicant_id = api.find_workflow_run(os.environ["RUN"]).applicant_id
api.delete_applicant(applicant_id)
for name, ask in (("applicant", lambda: api.find_applicant(applicant_id)),
                  ("run", lambda: api.find_workflow_run(os.environ["RUN"]))):
    try:
        ask()
    except ApiException as error:
        seen[name] = error.status
"""
PYTHON_ERROR = """
try:
    api.create_applicant(onfido.ApplicantBuilder(first_name="Ada", last_name="Lovelace"))
except ApiException as error:
    seen |= {"class": type(error).__name__, "status": error.status, "body": json.loads(error.body)}
"""
PYTHON_WEBHOOK = """
from onfido.webhook_event_verifier import OnfidoInvalidSignatureError, WebhookEventVerifier
body, signature = os.environ["BODY"], os.environ["SIGNATURE"]
event = WebhookEventVerifier(os.environ["WEBHOOK_TOKEN"]).read_payload(body, signature)
seen |= {"id": event.payload.object.id, "action": event.payload.action,
         "status": event.payload.object.status}
try:
    WebhookEventVerifier("another").read_payload(body, signature)
except OnfidoInvalidSignatureError:
    seen["forged"] = "refused"
"""
PYTHON_WEBHOOKS = """
webhook = api.create_webhook(onfido.WebhookBuilder(
    url=os.environ["HOOK"], events=["workflow_run.completed"]))
seen["token"] = webhook.token
seen["id"] = str(webhook.id)
"""
NODE_READ = """
const run = (await api.findWorkflowRun(process.env.RUN)).data;
seen.status = run.status;
seen.result = run.output.selfie.result;
seen.listed = (await api.listWorkflowRuns(1, undefined, undefined, undefined, undefined, undefined,
  run.tags)).data.map((each) => each.id);
try {
  await api.findWorkflowRun("00000000-0000-4000-8000-000000000000");
} catch (error) {
  seen.unknown = error.response.status;
}
"""
NODE_WEBHOOK = """
const verifier = new onfido.WebhookEventVerifier(process.env.WEBHOOK_TOKEN);
const event = verifier.readPayload(process.env.BODY, process.env.SIGNATURE);
seen.id = event.payload.object.id;
try {
  new onfido.WebhookEventVerifier("another").readPayload(process.env.BODY, process.env.SIGNATURE);
} catch (error) {
  seen.forged = "refused";
}
"""
PYTHON_CHECK = """
applicant = api.create_applicant(onfido.ApplicantBuilder(first_name="Ada", last_name="Lovelace"))
sdk_token = api.generate_sdk_token(onfido.SdkTokenBuilder(applicant_id=applicant.id))
seen["token"] = bool(sdk_token.token)
document = api.upload_document(
    applicant_id=applicant.id, type=onfido.DocumentTypes.PASSPORT, file=os.environ["DOCUMENT"])
photo = api.upload_live_photo(applicant_id=applicant.id, file=os.environ["PHOTO"])
seen["photo"] = photo.file_type
check = api.create_check(onfido.CheckBuilder(
    applicant_id=applicant.id, report_names=["document", "facial_similarity_photo"]))
seen |= {"new": check.status, "result": api.find_check(check.id).result}
reports = [each.actual_instance for each in api.list_reports(check.id).reports]
seen["reports"] = {each.name: each.result for each in reports}
seen["document"] = [str(each.id) for each in reports[0].documents] == [str(document.id)]
"""
NODE_CHECK = """
const fs = require("fs");
const file = (name) => new onfido.FileTransfer(fs.readFileSync(process.env[name]), "picture.png");
const applicant = (await api.createApplicant({first_name: "Ada", last_name: "Lovelace"})).data;
seen.token = Boolean((await api.generateSdkToken({applicant_id: applicant.id})).data.token);
await api.uploadDocument("passport", applicant.id, file("DOCUMENT"));
seen.photo = (await api.uploadLivePhoto(applicant.id, file("PHOTO"))).data.file_type;
const check = (await api.createCheck({applicant_id: applicant.id,
  report_names: ["document", "facial_similarity_photo"]})).data;
seen.new = check.status;
seen.result = (await api.findCheck(check.id)).data.result;
const reports = (await api.listReports(check.id)).data.reports;
seen.reports = Object.fromEntries(reports.map((each) => [each.name, each.result]));
"""
OLDER_NODE_CHECK = """
const fs = require("fs");
const { Onfido, Region } = require("@onfido/api");
const client = new Onfido({ apiToken: process.env.TOKEN, region: Region.EU, timeout: 20000 });
const defaults = client.axiosInstance.defaults;
defaults.baseURL = defaults.baseURL.replace("https://api.eu.onfido.com", process.env.MOCK_URL);
const file = (name) => ({ contents: fs.createReadStream(process.env[name]), filepath: "a.png" });
const seen = {};
(async () => {
const applicant = await client.applicant.create({ firstName: "Ada", lastName: "Lovelace" });
const applicantId = applicant.id;
seen.token = Boolean(await client.sdkToken.generate({ applicantId, referrer: "*://*/*" }));
await client.document.upload({ applicantId, type: "passport", file: file("DOCUMENT") });
seen.photo = (await client.livePhoto.upload({ applicantId, file: file("PHOTO") })).fileType;
const check = await client.check.create({ applicantId,
  reportNames: ["document", "facial_similarity_photo"] });
seen.new = check.status;
seen.result = (await client.check.find(check.id)).result;
const reports = await client.report.list(check.id);
seen.reports = Object.fromEntries(reports.map((each) => [each.name, each.result]));
console.log(JSON.stringify(seen));
})();
"""


@pytest.fixture(scope="session")
def python_sdk(lasting_environment):
    environment = lasting_environment("onfido-sdk")
    environment.install(PYTHON_SDK)
    return environment


@pytest.fixture(scope="module")
def node_folder(install_from_npm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("npm")
    install_from_npm(folder, NODE_SDK)
    return folder


@pytest.fixture
def mock():
    with MockServer(vendor="onfido") as running:
        yield running


@pytest.fixture
def environment(mock):
    """The variables of a program."""
    return {"TOKEN": mock.live_key, "MOCK_URL": mock.url, "WORKFLOW": WORKFLOW}


@pytest.fixture
def tell(python_sdk, environment):
    """Run a program with onfido-python; return what it has seen."""

    def run(program, **more):
        variables = {**os.environ, **environment, **more}
        script = f"{PYTHON_HEAD}{program}\nprint(json.dumps(seen))"
        return json.loads(python_sdk.python(script, env=variables))

    return run


@pytest.fixture
def tell_node(node_folder, find_program, run_command, environment):
    """Run a program with @onfido/api; return what it has seen."""

    def run(program, **more):
        variables = {**os.environ, **environment, **more}
        script = f"{NODE_HEAD}{program}\nconsole.log(JSON.stringify(seen));\n}})();"
        printed = run_command(find_program("node"), "-e", script, cwd=node_folder, env=variables)
        return json.loads(printed)

    return run


@pytest.fixture
def finished(mock):
    """The id of a run that facematch has started and its person has passed."""
    with open_sessions(
        "onfido",
        api_token=mock.live_key,
        base_url=mock.url,
        workflow_id=WORKFLOW,
        face_output="selfie",
        document_output="doc",
        compared_with="document",
        require_environment="mock",
    ) as sessions:
        mock.control.webhooks.add(NOBODY, secret=WEBHOOK_TOKEN)
        started = sessions.start(sessions.plan("customer-17", purpose="payout"))
    run_id = started.record.session_id
    mock.control.sessions.finish(run_id, card="p1-again", document="p1")
    return run_id


def test_python_client_starts_and_lists_a_run(tell, mock):
    seen = tell(PYTHON_START)
    assert seen["status"] == "awaiting_input"
    assert seen["link"].startswith(mock.url)
    assert (seen["listed"], seen["other"]) == ([seen["id"]], 0)
    assert mock.control.sessions.finish(seen["id"]).status == "approved"


@pytest.mark.parametrize("key", ["live", "sandbox"])
def test_python_client_reads_a_run_and_its_environment(tell, mock, key):
    token = mock.live_key if key == "live" else mock.sandbox_key
    run_id = tell(PYTHON_START, TOKEN=token)["id"]
    mock.control.sessions.finish(run_id)
    seen = tell(PYTHON_READ, TOKEN=token, RUN=run_id)
    assert seen == {
        "status": "approved",
        "result": "clear",
        "sdk_token": None,
        "sandbox": key == "sandbox",
    }


def test_python_client_reads_and_deletes_what_facematch_started(tell, finished):
    assert tell(PYTHON_READ, RUN=finished)["status"] == "approved"
    assert tell(PYTHON_DELETE, RUN=finished) == {"applicant": 410, "run": 404}


def test_python_client_logs_in_with_oauth(tell, mock):
    seen = tell(
        PYTHON_START, CLIENT_ID="mock-onfido-client", CLIENT_SECRET="mock-onfido-client-secret"
    )
    assert seen["status"] == "awaiting_input"
    assert mock.control.tokens.asked >= 1


def test_python_client_has_its_own_error_for_a_wrong_token(tell):
    seen = tell(PYTHON_ERROR, TOKEN="api_live.nobody")
    assert (seen["class"], seen["status"]) == ("UnauthorizedException", 401)
    assert seen["body"]["error"]["type"] == "authorization_error"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (403, "ForbiddenException"),
        (422, "UnprocessableEntityException"),
        (429, "ApiException"),
        (503, "ServiceException"),
    ],
)
def test_python_client_has_its_own_error_for_each_status(tell, mock, status, name):
    mock.control.add_fault(Fault(stage="answer", kind="status", status=status))
    seen = tell(PYTHON_ERROR.replace("json.loads(error.body)", "None"))
    assert (seen["class"], seen["status"]) == (name, status)


def test_python_client_adds_a_webhook(tell, mock):
    seen = tell(PYTHON_WEBHOOKS, HOOK=NOBODY)
    assert seen["token"]
    assert seen["id"] in [each.uuid for each in mock.control.webhooks.destinations()]


@pytest.fixture
def pictures(tmp_path):
    """The variables with the files of a document and of a live photo of its holder."""
    variables = {}
    for name, card in (("DOCUMENT", "p1"), ("PHOTO", "p1-again")):
        path = tmp_path / f"{card}.png"
        path.write_bytes(card_sheet()[card].data)
        variables[name] = str(path)
    return variables


CHECKED = {
    "token": True,
    "photo": "png",
    "new": "in_progress",
    "result": "clear",
    "reports": {"document": "clear", "facial_similarity_photo": "clear"},
}


def test_python_client_uploads_pictures_and_reads_the_reports_of_a_check(tell, pictures):
    assert tell(PYTHON_CHECK, **pictures) == {**CHECKED, "document": True}


def test_node_client_uploads_pictures_and_reads_the_reports_of_a_check(tell_node, pictures):
    assert tell_node(NODE_CHECK, **pictures) == CHECKED


@pytest.fixture(params=OLDER_NODE_SDKS)
def older_node_folder(request, install_from_npm, tmp_path):
    install_from_npm(tmp_path, f"@onfido/api@{request.param}")
    return tmp_path


def test_older_node_client_uploads_pictures_and_reads_the_reports_of_a_check(
    older_node_folder, find_program, run_command, environment, pictures
):
    variables = {**os.environ, **environment, **pictures}
    node = find_program("node")
    printed = run_command(node, "-e", OLDER_NODE_CHECK, cwd=older_node_folder, env=variables)
    assert json.loads(printed) == CHECKED


def delivery_of(mock):
    """Return the variables with the newest delivery."""
    webhooks = mock.control.webhooks
    letter = webhooks.delivery(webhooks.deliveries()[-1].id)
    return {
        "BODY": letter.body.decode(),
        "SIGNATURE": letter.headers["X-SHA2-Signature"],
        "WEBHOOK_TOKEN": WEBHOOK_TOKEN,
    }


def test_python_client_verifies_the_webhook(tell, mock, finished):
    assert tell(PYTHON_WEBHOOK, **delivery_of(mock)) == {
        "id": finished,
        "action": "workflow_run.completed",
        "status": "approved",
        "forged": "refused",
    }


def test_node_client_reads_what_facematch_started(tell_node, finished):
    assert tell_node(NODE_READ, RUN=finished) == {
        "status": "approved",
        "result": "clear",
        "listed": [finished],
        "unknown": 404,
    }


def test_node_client_verifies_the_webhook(tell_node, mock, finished):
    assert tell_node(NODE_WEBHOOK, **delivery_of(mock)) == {"id": finished, "forged": "refused"}
