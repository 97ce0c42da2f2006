// What the mock's own web SDK is told (vendors/onfido/onfido.js): the callback of the page, and its value.
import { facts, moment, say } from "./frame.mjs";

const error = (type, message) => ["onError", { type, message }];
const expired = error("expired_token", "The token has expired, please request a new one");
const abandoned = error("workflow_abandoned", "This run is over.");

const CALLBACKS = {
  finished: facts.is_failed ? error("exception", "Each attempt has failed.") : ["onComplete", facts],
  left: ["onUserExit", "user_exit"],
  expired,
  over: abandoned,
  unknown: location.hash === "#expired" ? expired : error("invalid_token", "The token is none of the mock's."),
};
if (moment in CALLBACKS) say({ onfido: CALLBACKS[moment] });
