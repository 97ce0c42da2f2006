// The mock's own web SDK of Onfido, which shows the person's page in a frame. The names are those of
// onfido-sdk-ui 14.80.0, types/shared.
(() => {
  /** What an SDK token of the mock says; nothing for another one. */
  const read = (token) => {
    try {
      return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    } catch {
      return undefined;
    }
  };

  const init = (parameters) => {
    const { token, workflowRunId, containerEl, containerId = "onfido-mount" } = parameters;
    const names = (parameters.steps ?? ["document", "face"]).map((step) => step.type ?? step);
    const frame = document.createElement("iframe");
    frame.allow = "camera";
    frame.style = "width: 100%; height: 100%; min-height: 40rem; border: 0; background: white";
    const hear = ({ source, data }) => {
      if (source !== frame.contentWindow || !data?.onfido) return;
      const [callback, value] = data.onfido;
      parameters[callback]?.(value);
    };
    const handle = {
      async tearDown() {
        removeEventListener("message", hear);
        frame.remove();
      },
      setOptions(changes) {
        Object.assign(parameters, changes);
      },
      addEventListener() {},
      removeEventListener() {},
    };
    const origin = read(token)?.urls?.onfido_api_url;
    if (!origin) {
      const message = "The token is none of the mock's.";
      queueMicrotask(() => parameters.onError?.({ type: "invalid_token", message }));
      return handle;
    }
    const query = new URLSearchParams({ token });
    if (workflowRunId) query.set("run", workflowRunId);
    else query.set("steps", names);
    frame.src = `${origin}/mock/web_sdk?${query}`;
    addEventListener("message", hear);
    (containerEl ?? document.getElementById(containerId) ?? document.body).append(frame);
    return handle;
  };

  window.Onfido = { ...window.Onfido, init };
})();
