// The mock's own Stripe.js, which has what a page for Identity uses. The names are those of
// @stripe/stripe-js 8.11.0, dist/stripe-js/stripe.d.ts.
(() => {
  const script = new URL(document.currentScript.src);
  const [train] = script.pathname.split("/").filter(Boolean);

  const verifyIdentity = (clientSecret) => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.allow = "camera";
    frame.style = "position: fixed; inset: 0; width: 100%; height: 100%; border: 0; background: white; z-index: 2147483647";
    frame.src = `${script.origin}/identity/modal?client_secret=${encodeURIComponent(clientSecret)}`;
    const hear = ({ source, data }) => {
      if (source !== frame.contentWindow || data?.name !== "verifyIdentity") return;
      removeEventListener("message", hear);
      frame.remove();
      resolve(data.result);
    };
    addEventListener("message", hear);
    document.body.append(frame);
  });

  // The loaders of @stripe/stripe-js call the second and the third.
  const known = { verifyIdentity, registerAppInfo() {}, _registerWrapper() {} };
  const refuse = (name) => () => {
    throw new Error(`The mock's Stripe.js has verifyIdentity alone: ${name} is not there. See docs/vendors/stripe.md.`);
  };
  const stripe = new Proxy(known, {
    // A promise asks each value for `then`; tools ask for symbols.
    get: (target, name) => target[name] ?? (typeof name === "symbol" || name === "then" ? undefined : refuse(name)),
  });
  window.Stripe = () => stripe;
  window.Stripe.version = train === "v3" ? 3 : train;
})();
