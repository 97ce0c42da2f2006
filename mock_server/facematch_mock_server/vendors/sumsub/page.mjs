// The messages that @sumsub/websdk 2.9.0 reads (onSdkMessage in its dist/index.esm.js) and their payloads (types/types.d.ts).
import { attempts, isFramed, moment, say, session, status, workflow } from "./frame.mjs";

// The SDK names its frame in the URL that it opens, and waits for a message with this name.
const frameId = new URLSearchParams(location.search).get("_");

const tell = (event, payload) => say({ method: `idCheck.${event}`, frameId, sessionId: session, ...payload });

/** Wait for a message of the SDK. */
const hear = (method) =>
  new Promise((resolve) => {
    addEventListener("message", ({ data, source }) => {
      if (source === parent && data.method === `idCheck.${method}`) resolve(data);
    });
  });

const applicant = { applicantId: session, levelName: workflow };

if (isFramed && frameId) {
  // An SDK before 2.5 names its frame by chance, and says the token only when it is asked.
  if (moment === "unknown" && location.hash !== "#asked") {
    const init = hear("init");
    tell("onReady");
    const { accessToken } = await init;
    const page = location.pathname.replace(/[^/]*$/, accessToken.split(".").at(-1));
    location.replace(`${page}${location.search}#asked`);
  }
  if (moment === "opened") {
    if (location.hash !== "#asked") {
      const init = hear("init");
      tell("onReady");
      await init;
    }
    tell("onInitialized");
    tell("onApplicantLoaded", applicant);
  }
  if (moment === "tried" || moment === "finished") {
    const [reviewStatus, reviewAnswer, reviewRejectType] = status.split(" ");
    const reviewResult = reviewAnswer && { reviewAnswer, reviewRejectType };
    tell(attempts > 1 ? "onApplicantResubmitted" : "onApplicantSubmitted", applicant);
    tell("onApplicantStatusChanged", { ...applicant, reprocessing: false, reviewStatus, autoChecked: false, reviewResult });
  }
  // The SDK's frame does not scroll.
  const content = document.querySelector("main");
  new ResizeObserver(() => tell("onResize", { height: content.offsetHeight })).observe(content);
  if (moment === "expired") {
    const update = hear("updateAccessToken");
    tell("onError", { code: "invalid-token", error: "The access token has expired." });
    const { accessToken } = await update;
    // An access token of the mock ends with the token of its page.
    const page = accessToken && location.pathname.replace(/[^/]*$/, accessToken.split(".").at(-1));
    if (page) location.replace(`${page}${location.search}#renewed`);
  }
}
