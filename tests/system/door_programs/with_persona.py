import requests

INQUIRIES = "https://api.withpersona.com/api/v1/inquiries"

with requests.Session() as session:
    session.headers = {
        "Authorization": "Bearer persona_sandbox_key-of-the-program",
        "Persona-Version": "2025-12-08",
        "Key-Inflection": "kebab",
    }
    attributes = {"inquiry-template-id": "itmpl_OfTheProgram"}
    started = session.post(INQUIRIES, json={"data": {"attributes": attributes}}).json()
    read = session.get(f"{INQUIRIES}/{started['data']['id']}").json()
print("session", read["data"]["attributes"]["status"])
