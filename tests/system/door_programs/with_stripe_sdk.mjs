import Stripe from "stripe";

const sessions = new Stripe("sk_live_of-the-program").identity.verificationSessions;
const session = await sessions.create({ type: "document" });
console.log("session", session.status, (await sessions.retrieve(session.id)).livemode);
