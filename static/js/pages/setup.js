/** The setup page: tries something out without losing what was typed, and follows the state of the model. */

const EVERY = 2000; // milliseconds

/** @param {HTMLButtonElement} button @param {HTMLFormElement} form */
async function tryOut(button, form) {
  const output = form.querySelector("output");
  if (!output) return;
  const body = new FormData(form);
  body.set(button.name, button.value);
  button.disabled = true;
  output.textContent = "…";
  output.classList.remove("bad");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
      redirect: "error",
    });
    const result = await answer.json();
    output.textContent = result.words;
    output.classList.toggle("bad", !result.ok);
  } catch {
    const page = /** @type {HTMLElement | null} */ (document.querySelector("[data-setup]"));
    output.textContent = page?.dataset.failed ?? "";
    output.classList.add("bad");
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  const { submitter, target } = event;
  if (!(submitter instanceof HTMLButtonElement) || !(target instanceof HTMLFormElement)) return;
  if (!submitter.hasAttribute("data-try")) return;
  event.preventDefault();
  void tryOut(submitter, target);
});

/** @param {HTMLElement} line */
async function refresh(line) {
  const answer = await fetch(line.dataset.from ?? "", { redirect: "error" });
  if (!answer.ok) return;
  const state = await answer.json();
  line.dataset.state = state.kind;
  const words = line.querySelector("[data-words]");
  const detail = /** @type {HTMLElement | null} */ (line.querySelector("[data-detail]"));
  if (words && words.textContent !== state.words) words.textContent = state.words;
  if (detail) {
    detail.textContent = state.detail;
    detail.lang = state.detail_language || document.documentElement.lang;
  }
  const name = line.parentElement?.querySelector("strong");
  if (name) name.textContent = state.slug;
  const bar = line.parentElement?.querySelector("progress");
  if (bar) {
    bar.hidden = state.kind !== "fetching";
    bar.value = state.percent;
  }
}

async function refreshWhenSeen() {
  const line = document.querySelector("[data-state]");
  if (!document.hidden && line instanceof HTMLElement) await refresh(line).catch(() => {}); // offline: later
  window.setTimeout(refreshWhenSeen, EVERY);
}

window.setTimeout(refreshWhenSeen, EVERY);

export {};
