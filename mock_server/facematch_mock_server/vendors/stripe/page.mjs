// What the mock's own Stripe.js is told (vendors/stripe/stripe.js), which resolves verifyIdentity with it.
import { moment, say, session } from "./frame.mjs";

const submitted = { verificationSession: { id: session } };
const fail = (message) => ({ error: { type: "invalid_request_error", message } });
const over = fail("This session is over, or its client secret is not valid.");

const RESULTS = {
  // Stripe's modal ends with each submission; the checks follow.
  tried: submitted,
  finished: submitted,
  left: fail("The person has closed the modal."),
  expired: over,
  over,
  unknown: over,
};
if (moment in RESULTS) say({ name: "verifyIdentity", result: RESULTS[moment] });
