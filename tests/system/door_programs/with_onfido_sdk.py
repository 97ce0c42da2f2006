import onfido

api = onfido.DefaultApi(onfido.ApiClient(onfido.Configuration(api_token="token-of-the-program")))
applicant = api.create_applicant(onfido.ApplicantBuilder(first_name="Ada", last_name="Lovelace"))
started = api.create_workflow_run(
    onfido.WorkflowRunBuilder(
        applicant_id=applicant.id, workflow_id="5025d9fd-7842-4805-bce1-a7bfd7131b4e"
    )
)
print("session", api.find_workflow_run(started.id).status.value)
