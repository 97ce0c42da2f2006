// What all vendors have in common: where the page is shown, and what has just happened in it.

/** moment: opened, tried, finished, left, expired, or refused; session: its id; status, attempts and workflow of the session. */
export const { moment, session, status, attempts, workflow } = document.querySelector("script[data-moment]").dataset;

export const isFramed = parent !== window;

/** Send a message to the page that shows this one, which the vendor's web SDK reads. */
export const say = (message) => {
  if (isFramed) parent.postMessage(message, "*");
};

// In a frame the mock shows how the session ended, and redirects nowhere: the SDK tells the page around it.
for (const input of document.querySelectorAll("input[name=framed]")) input.value = isFramed ? "yes" : "";
