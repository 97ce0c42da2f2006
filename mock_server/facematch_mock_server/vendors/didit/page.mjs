// The events that @didit-protocol/sdk-web 0.4.0 reads (VerificationEventType in its dist/index.d.ts).
import { moment, say, session, status } from "./frame.mjs";

// A completed event has one of three statuses (VerificationStatus).
const result = ["Approved", "Declined"].includes(status) ? status : "Pending";
const submitted = ["didit:verification_submitted", { step: "face" }];

const EVENTS = {
  opened: [["didit:ready"], ["didit:started"], ["didit:step_started", { step: "face" }]],
  tried: [submitted],
  finished: [submitted, ["didit:status_updated", { status }], ["didit:completed", { status: result }]],
  left: [["didit:cancelled"]],
};

for (const [type, data] of EVENTS[moment] ?? []) {
  say({ type, data: { sessionId: session, ...data }, timestamp: Date.now() });
}
