/** The trial on a model's staff page: asks one question, and shows the answer while it is written. */

const POLL_EVERY = 400; // milliseconds between two looks
const GOES_ON = ["waiting", "writing"];

/**
 * @typedef {object} Trial
 * @property {string} state  "waiting", "writing", "done", "failed" or "over"
 * @property {string} words
 * @property {string} text
 */

/** @param {HTMLElement} section */
function wire(section) {
  const { trial: path = "", offline = "" } = section.dataset;
  const button = /** @type {HTMLButtonElement} */ (section.querySelector("[data-begin]"));
  const state = /** @type {HTMLElement} */ (section.querySelector("[data-state]"));
  const answer = /** @type {HTMLElement} */ (section.querySelector("[data-answer]"));

  /** @param {Trial} trial */
  function show({ words, text }) {
    if (state.textContent !== words) state.textContent = words;
    answer.textContent = text;
    answer.hidden = !text;
  }

  async function run() {
    button.disabled = true;
    let trial = await ask("POST", path, offline);
    show(trial);
    while (GOES_ON.includes(trial.state)) {
      await new Promise((done) => { window.setTimeout(done, POLL_EVERY); });
      trial = await ask("GET", path, offline);
      show(trial);
    }
    button.disabled = false;
  }

  button.addEventListener("click", run);
}

/** @param {string} method @param {string} path @param {string} offline @returns {Promise<Trial>} */
async function ask(method, path, offline) {
  const token = /** @type {HTMLInputElement} */ (document.querySelector("[name=csrfmiddlewaretoken]")).value;
  const headers = { accept: "application/json", ...(method === "POST" && { "x-csrftoken": token }) };
  try {
    const answer = await fetch(path, { method, headers, redirect: "error" });
    const body = await answer.json();
    return answer.ok ? body : { state: "failed", words: body.error.words, text: "" };
  } catch {
    return { state: "failed", words: offline, text: "" };
  }
}

for (const section of document.querySelectorAll("[data-trial]")) wire(/** @type {HTMLElement} */ (section));
