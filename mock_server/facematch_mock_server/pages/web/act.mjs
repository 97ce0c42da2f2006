// What `control.sessions.on_open` has chosen for this page: the same form as after a click.
const chosen = document.querySelector("script[data-outcome]").dataset;

for (const name of ["face", "document"]) {
  const card = document.querySelector(`input[name=${name}][value="${chosen[name]}"]`);
  if (card) card.checked = true;
}
document.querySelector(`button[value="${chosen.outcome}"]`).click();
