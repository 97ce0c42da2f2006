// What `control.sessions.on_open` has chosen for this page: the same form as after a click.
const chosen = document.querySelector("script[data-outcome]").dataset;

for (const name of ["face", "document"]) {
  const card = document.querySelector(`input[name=${name}][value="${chosen[name]}"]`);
  if (card) card.checked = true;
}
// The vendor's script may first have to wait for the web SDK.
const sdk = document.querySelector("script[data-moment]");
if (sdk) await import(sdk.src);
// A web SDK may ask for a new token by itself, whose page must not expire at once, and so on.
if (chosen.outcome !== "expire" || location.hash !== "#renewed") {
  document.querySelector(`button[value="${chosen.outcome}"]`).click();
}
