/** What a message offers as a part of a tree: its versions, an edit in place, other ways to ask again. */

import { isBlank } from "grokweb/blank.js";
import { el, find, icon } from "grokweb/dom.js";
import { fill, gettext, number } from "grokweb/words.js";

// Ways of asking again: `params` of docs/protocol.md.
const EXACT = { temperature: 0.2 };
const FREE = { temperature: 1.2 };

/** ‹ 2/3 › for a message that has others in its place; null for one that stands alone. `open(id)` shows another. */
export function versions(message, open) {
  const all = message.siblings ?? [];
  const at = all.indexOf(message.id);
  if (all.length < 2 || at < 0) return null;
  const step = (name, words, to) => {
    const button = el("button", { type: "button", "aria-label": words, title: words, "data-version": name }, icon(name));
    button.disabled = !all[to];
    button.addEventListener("click", () => open(message, all[to], name));
    return button;
  };
  const values = { n: number(at + 1), all: number(all.length) };
  const place = el("span", { class: "place" }, fill(gettext("%(n)s of %(all)s"), values));
  return el(
    "span",
    { class: "versions", role: "group", "aria-label": gettext("Versions of this message") },
    step("left", gettext("Previous version"), at - 1),
    place,
    step("right", gettext("Next version"), at + 1),
  );
}

/** The text of an own message in a box; `send(text)` with what it became. It takes the place of `body`. */
export function edit(body, text, { send, closed }) {
  const area = el("textarea", { rows: "1", dir: "auto", "aria-label": gettext("Your message") });
  area.value = text;
  const go = el("button", { class: "button primary", type: "submit" }, gettext("Send"));
  const cancel = el("button", { class: "button plain", type: "button" }, gettext("Cancel"));
  const hint = el("p", { class: "hint" }, gettext("The message and its answers so far stay as another version."));
  const form = el("form", { class: "edit" }, area, hint, el("div", { class: "actions" }, cancel, go));
  const fit = () => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
    go.disabled = isBlank(area.value) || area.value.trim() === text.trim();
  };
  const close = () => { form.replaceWith(body); closed(); };
  area.addEventListener("input", fit);
  cancel.addEventListener("click", close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (go.disabled) return;
    close();
    send(area.value);
  });
  form.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") { event.stopPropagation(); event.preventDefault(); close(); }
    if (event.key === "Enter" && !event.shiftKey && event.target === area) { event.preventDefault(); form.requestSubmit(); }
  });
  body.replaceWith(form);
  fit();
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
}

/** Menu entries for an answer: other ways to ask again, and the end of a branch. */
export function answerItems(message, { again, as, remove, models }, button) {
  const others = models.filter((each) => each.slug !== message.generation?.model);
  return [
    { name: "again", words: gettext("Ask again, more exactly"), run: () => again(message, EXACT) },
    { name: "again", words: gettext("Ask again, more freely"), run: () => again(message, FREE) },
    ...(models.length > 1 ? others : []).map((each) => ({
      name: "again", words: fill(gettext("Ask again with %(model)s"), { model: each.name }), run: () => again(message, { model: each.slug }),
    })),
    { name: "again", words: gettext("Ask again as…"), run: () => as(message, button) },
    removeItem(message, remove),
  ];
}

export const removeItem = (message, remove) => ({
  name: "trash", words: gettext("Delete from here"), danger: true, run: () => remove(message),
});

/** Asks before a branch is deleted; `confirmed(message)` does it and may throw an error with words. */
export function wireRemoval(dialog, confirmed, { showError, wireDialog }) {
  wireDialog(dialog);
  let doomed = null;
  find("form", dialog).addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = find("[type=submit]", dialog);
    button.disabled = true;
    try {
      await confirmed(doomed);
      dialog.close();
    } catch (error) {
      showError(dialog, error.message);
    } finally {
      button.disabled = false;
    }
  });
  return (message) => {
    doomed = message;
    showError(dialog);
    dialog.showModal();
  };
}
