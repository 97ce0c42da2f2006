// What all vendors have in common: where the page is shown, and what has just happened in it.

/**
 * moment: opened, tried, finished, left, expired, refused (an action), or the reason why there is no
 * session: unknown, over; session: its id; status, attempts and workflow of the session.
 */
export const { moment, session, status, attempts, workflow, ...more } =
  document.querySelector("script[data-moment]").dataset;

/** What one vendor's SDK is told beside that. */
export const facts = JSON.parse(more.facts);

export const isFramed = parent !== window;

/** Send a message to the page that shows this one, which the vendor's web SDK reads. */
export const say = (message, origin = "*") => {
  if (isFramed) parent.postMessage(message, origin);
};

// In a frame the mock shows how the session ended, and redirects nowhere: the SDK tells the page around it.
for (const input of document.querySelectorAll("input[name=framed]")) input.value = isFramed ? "iframe" : "";
