// The messages that @veriff/incontext-sdk 2.5.0 reads (IFRAME_MESSAGES in its dist/index.esm.js).
import { isFramed, moment, say } from "./frame.mjs";

const MESSAGES = {
  opened: ["VERIFF_HANDSHAKE", "VERIFF_STARTED"],
  tried: ["VERIFF_SUBMITTED"],
  // The SDK removes the frame; it is not told the verdict.
  finished: ["VERIFF_SUBMITTED", "VERIFF_FINISHED"],
  left: ["VERIFF_CANCELED"],
};

for (const message of MESSAGES[moment] ?? []) say(message);

const buttons = document.querySelector(".acts");
if (isFramed && buttons) {
  // Where the person has denied the camera, Veriff's page asks the shop to load its page again.
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = "Deny the camera";
  button.addEventListener("click", () => say("VERIFF_RELOAD_REQUEST"));
  buttons.append(button);
}
