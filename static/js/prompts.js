/** Texts kept to ask with: chosen under the message box or by "/" in the empty one; {{words}} in them are asked for. */

import { call } from "grokweb/api.js";
import { openChoices } from "grokweb/choices.js";
import { el, find, icon, wireDialog } from "grokweb/dom.js";
import { gettext } from "grokweb/words.js";

const KEEP = "/settings/answers/#prompts";
const VARIABLE = /\{\{\s*([^{}\n]{1,60}?)\s*\}\}/g;
const SHOWN = 80; // characters of a text in the list

export const variablesOf = (text) => [...new Set([...text.matchAll(VARIABLE)].map((each) => each[1]))];
export const filled = (text, values) => text.replace(VARIABLE, (_, name) => values[name] ?? "");

/** `any`: whether this person keeps some; without, "/" is a character like others. */
export function wirePrompts(button, composer, { any, notices }) {
  const { area } = composer;
  let open = false;
  const offer = async ({ typed = false } = {}) => {
    if (open) return;
    open = true;
    try {
      const { prompts } = await call("GET", "/api/prompts/");
      openChoices(button, {
        label: gettext("Prompts"),
        choices: prompts.map(({ id, name, text }) => ({ value: id, name, about: text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text })),
        pick: (id) => use(prompts.find((each) => each.id === id), typed),
        more: [{ name: "pencil", words: prompts.length ? gettext("Edit prompts") : gettext("Write a prompt"), run: () => location.assign(KEEP) }],
      });
    } catch (error) {
      notices.show("error", error.message, { kind: "bad" });
    } finally {
      open = false;
    }
  };
  const put = (text, typed) => {
    const asked = typed && /^\/\S*$/.test(area.value); // letters may have followed before the list was there
    if (asked || ["", "/"].includes(area.value.trim())) composer.fillIn(text);
    else composer.add(text);
    area.focus();
  };
  const use = ({ name, text }, typed) => {
    const names = variablesOf(text);
    if (names.length) askFor(name, names, (values) => put(filled(text, values), typed));
    else put(text, typed);
  };
  button.addEventListener("click", () => offer());
  area.addEventListener("input", (event) => {
    if (any && event.inputType === "insertText" && area.value === "/") offer({ typed: true });
  });
}

function askFor(title, names, done) {
  const fields = names.map((name, n) => {
    const input = el("textarea", { id: `variable-${n}`, rows: "1", dir: "auto", required: true });
    return { name, input, box: el("div", { class: "field" }, el("label", { for: `variable-${n}`, dir: "auto" }, name), input) };
  });
  const close = el("button", { class: "icon-button close", type: "button", "data-close": true, "aria-label": gettext("Close") }, icon("close", ""));
  const cancel = el("button", { class: "button plain", type: "button", "data-close": true }, gettext("Cancel"));
  const go = el("button", { class: "button primary", type: "submit" }, gettext("Insert"));
  const form = el("form", {}, el("h2", { id: "variables-title", dir: "auto" }, title), ...fields.map((each) => each.box), el("div", { class: "actions" }, cancel, go));
  const dialog = wireDialog(el("dialog", { "aria-labelledby": "variables-title" }, close, form));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    done(Object.fromEntries(fields.map(({ name, input }) => [name, input.value])));
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  find("textarea", dialog).focus();
}
