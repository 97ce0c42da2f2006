// One call at a time. An answer is shown only once the file is written.
const find = (id) => document.getElementById(id);
let question = "";
let calls = [];
let place = 0;
let isWriting = false;

function firstOpen() {
  const index = calls.findIndex((call) => !call.label);
  return index < 0 ? calls.length : index;
}

function show(next) {
  place = Math.max(0, Math.min(next, firstOpen(), calls.length));
  const call = calls[place];
  const labelled = calls.filter((each) => each.label).length;
  find("progress").textContent = call
    ? `Call ${place + 1} of ${calls.length}, ${labelled} answered`
    : `${labelled} of ${calls.length} answered`;
  find("call").hidden = !call;
  find("done").hidden = Boolean(call);
  if (!call) {
    find("done").focus();
    return;
  }
  find("question").textContent = question;
  find("call-id").textContent = call.call;
  find("remark").value = call.remark;
  for (const button of document.querySelectorAll("[data-label]")) {
    button.setAttribute("aria-pressed", String(button.dataset.label === call.label));
  }
  find("previous").disabled = place === 0;
  find("next").disabled = !call.label;
  find("pictures").replaceChildren(...picturesOf(call));
}

function picturesOf(call) {
  if (!call.pictures) {
    const text = document.createElement("p");
    text.textContent = "The folder has no picture of this call. Look it up by its id, or answer that you cannot tell.";
    return [text];
  }
  return Array.from({ length: call.pictures }, (_, number) => {
    const figure = document.createElement("figure");
    const image = document.createElement("img");
    const caption = document.createElement("figcaption");
    image.alt = `Picture ${number + 1}`;
    caption.textContent = image.alt;
    image.onerror = () => {
      image.remove();
      caption.textContent = `Picture ${number + 1} cannot be shown: save it as JPEG, PNG or WebP.`;
    };
    image.src = `pictures/${place}/${number}`;
    figure.append(image, caption);
    return figure;
  });
}

function complain(text) {
  find("trouble").textContent = text;
  find("trouble").hidden = !text;
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The command has ended: start it again.");
  }
  const document = await response.json();
  if (!response.ok) throw new Error(document.error);
  return document;
}

async function answer(label) {
  const call = calls[place];
  if (!call || isWriting) return;
  isWriting = true;
  const remark = find("remark").value;
  try {
    await request("answers", { method: "POST", body: JSON.stringify({ place, label, remark }) });
    Object.assign(call, { label, remark });
    complain("");
    find("main").focus({ preventScroll: true });
    show(place + 1);
  } catch (error) {
    complain(error.message);
  } finally {
    isWriting = false;
  }
}

const KEYS = {
  y: () => answer("yes"),
  n: () => answer("no"),
  "?": () => answer("?"),
  r: () => find("remark").focus(),
  ArrowLeft: () => show(place - 1),
  ArrowRight: () => show(place + 1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target === find("remark")) {
    if (event.key === "Enter" || event.key === "Escape") find("main").focus({ preventScroll: true });
    return;
  }
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
for (const button of document.querySelectorAll("[data-label]")) {
  button.addEventListener("click", () => answer(button.dataset.label));
}
find("previous").addEventListener("click", () => show(place - 1));
find("next").addEventListener("click", () => show(place + 1));
find("back").addEventListener("click", () => show(calls.length - 1));

try {
  ({ question, calls } = await request("calls"));
  show(firstOpen());
} catch (error) {
  complain(error.message);
}
