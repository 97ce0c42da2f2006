"""Make the first calls to a vendor at its mock, and record them as if it were the vendor."""

from types import SimpleNamespace

import attrs
from click.testing import CliRunner
from kit.of_vendors import of_vendors

from facematch_mock_server import MockServer
from facematch_mock_server.first_calls import __main__ as first_calls
from facematch_mock_server.record_cli import sources_of
from facematch_mock_server.replies.recording_file import RecordingFile
from facematch_mock_server.replies.vocabulary import Vocabulary
from facematch_mock_server.vendors import vendor_named

#: Keys and settings of a customer, which are not those in the mock's sources, by variable.
OF_A_CUSTOMER = {
    "BAIDU_API_KEY": "bce-v3/ALTAK-Zx8kQ2mPlT5vWn3R/7f3a9c1e5b7f3a9c1e5b7f3a9c1e5b7f3a9c1e5b",
    "COMPREFACE_API_KEY": "8f3a77aa-1122-4abc-9def-001122334455",
    "DIDIT_WORKFLOW_ID": "2b1c8d3e-90aa-4f7e-8c11-77d5a0c1e2f3",
    "ONFIDO_API_TOKEN": "api_live_eu.Zx8kQ2mPlT5vWn3R.7f3a9c1e5b7f3a9c1e5b",
    "ONFIDO_WORKFLOW_ID": "7b1c8d3e-90aa-4f7e-8c11-77d5a0c1e2f4",
    "PERSONA_API_KEY": "persona_production_7f3a9c1e-5b7f-4a9c-8e5b-7f3a9c1e5b7f",
    "PERSONA_TEMPLATE_ID": "itmpl_Q8zAbcDEf7GhiJKlmn2Pqrst",
    "STRIPE_SECRET_KEY": "sk_live_7f3a9c1e5b7f4a9c8e5b",
    "SUMSUB_APP_TOKEN": "prd:Ab9xYz77QwErTy.Zx8kQ2mPlT5vWn3R",
}
for _variables in of_vendors("OF_A_CUSTOMER").values():
    OF_A_CUSTOMER |= _variables
#: The host that is called, of vendors with several.
HOSTS = {
    **of_vendors("CALLED_HOST"),
    "alibaba": "facebody.cn-shanghai.aliyuncs.com",
    "azure": "customer.cognitiveservices.azure.com",
    "didit": "verification.didit.me",
    "onfido": "api.eu.onfido.com",
    "rekognition": "rekognition.eu-west-1.amazonaws.com",
    "stripe": "api.stripe.com",
}


def variables_of(vendor):
    """Return the variables with the mock's own key and settings."""
    variables = vendor_named(vendor).variables
    if variables is None:
        return {}
    keys = next(iter(variables.keys), {})
    return {**keys, **variables.settings}


def call_at(mock, monkeypatch, variables):
    """Let first calls go to a mock that runs, with these keys and settings."""
    for name, value in {**variables, "FIRST_CALLS_URL": mock.url}.items():
        monkeypatch.setenv(name, value)
    # The mock counts its rates by its own clock.
    monkeypatch.setattr(first_calls, "time", SimpleNamespace(sleep=mock.control.advance))


def make_first_calls(vendor, mock, monkeypatch, variables, *files):
    """Make the calls at a mock that runs; return the outcome of the command."""
    call_at(mock, monkeypatch, variables)
    return CliRunner().invoke(first_calls.main, [vendor, *map(str, files)])


def start_recording(vendor, path):
    """Return a recording of calls to a vendor, and the host that they name."""
    definition = vendor_named(vendor)
    host = HOSTS.get(vendor) or next(iter(definition.hosts), "127.0.0.1")
    recording = RecordingFile(
        path,
        Vocabulary.read(sources_of([definition])),
        show_host=lambda name: name if name == host else None,
    )
    return recording, host


def record_first_calls(vendor, path, monkeypatch):
    """Record the calls of a customer to a mock in the vendor's place."""
    definition = vendor_named(vendor)
    recording, host = start_recording(vendor, path)
    # A server of DeepFace has no token unless its owner sets one.
    switches = {"auth": "token"} if vendor == "deepface" else {}
    with MockServer(vendor=vendor, switches=switches) as mock:
        variables = variables_of(vendor)
        keys = [name for name in variables if name not in definition.variables.settings]
        for name in keys if vendor != "deepface" else ():
            variables[name] = f"customers-own-{name.lower().replace('_', '-')}-8kQ2"
        variables |= {name: OF_A_CUSTOMER[name] for name in variables.keys() & OF_A_CUSTOMER.keys()}
        if keys and vendor != "deepface":
            *client, secret = (variables[name] for name in keys)
            mock.control.add_key(key=secret, client=next(iter(client), None))
        handle = mock.app.handle

        def answer(request):
            headers = [(name, host if name == "host" else text) for name, text in request.headers]
            sent = attrs.evolve(request, headers=tuple(headers))
            # Alibaba, AWS and Tencent sign the host.
            signs_host = vendor in ("alibaba", "rekognition", "tencent")
            reply = handle(request if signs_host else sent)
            recording.add(vendor, host, sent, reply)
            return reply

        mock.app.handle = answer
        made = make_first_calls(vendor, mock, monkeypatch, variables)
    assert (made.exit_code, recording.left_out) == (0, []), made.output
