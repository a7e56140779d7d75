/** "Your data" on the settings page: a file goes up, and a report of what came in is shown. */

import { el, find, showError } from "grokweb/dom.js";
import { fill, gettext, ngettext, number } from "grokweb/words.js";

const SHOWN = 100; // of each list; nobody reads more

const section = find("[data-transfer]");
const form = find("[data-import]", section);
const progress = find("[data-importing]", section);
const report = find("[data-report]", section);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = find("input[type=file]", form).files[0];
  if (file) send(file);
});

function send(file) {
  showError(form);
  report.hidden = true;
  const limit = Number(form.dataset.limit);
  if (file.size > limit * 2 ** 20) {
    showError(form, fill(gettext("A file may have at most %(limit)s MB."), { limit: number(limit) }));
    return;
  }
  busy(true);
  const request = new XMLHttpRequest(); // fetch does not say how much has gone up
  request.open("POST", "/api/import/");
  request.setRequestHeader("x-csrftoken", find("[name=csrfmiddlewaretoken]", form).value);
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => sent(loaded, total));
  request.upload.addEventListener("load", reading);
  request.addEventListener("loadend", () => { busy(false); answered(request); });
  const body = new FormData();
  body.append("file", file);
  request.send(body);
}

function busy(on) {
  progress.hidden = !on;
  find("[type=submit]", form).disabled = on;
  if (on) sent(0, 1);
}

function sent(loaded, total) {
  find("progress", progress).value = loaded / total;
  say(gettext("The file is sent."));
}

function reading() {
  find("progress", progress).removeAttribute("value"); // how long it takes is not known
  say(gettext("The conversations are read. This can take a minute or two."));
}

function say(words) {
  const line = find("[role=status]", progress);
  if (line.textContent !== words) line.textContent = words;
}

function answered(request) {
  if (request.status === 401) location.reload();
  if (request.status === 200 && request.response?.report) return show(request.response.report);
  const words = request.response?.error?.words;
  if (request.status === 413) showError(form, fill(gettext("A file may have at most %(limit)s MB."), { limit: number(Number(form.dataset.limit)) }));
  else if (words) showError(form, words);
  else showError(form, request.status ? gettext("Something went wrong. Please try again.") : gettext("The server cannot be reached. Please try again."));
}

function show({ imported, kept, left_out: leftOut, messages }) {
  const came = fill(ngettext("%(n)s conversation came in", "%(n)s conversations came in", imported.length), { n: number(imported.length) });
  const said = fill(ngettext("%(n)s message", "%(n)s messages", messages), { n: number(messages) });
  const voice = fill(ngettext("%(n)s persona, prompt or instruction came in", "%(n)s personas, prompts or instructions came in", kept.length), { n: number(kept.length) });
  const sentences = [imported.length ? `${came}, ${said}.` : "", kept.length ? `${voice}.` : ""].filter(Boolean).join(" ");
  const heading = el("h3", { tabindex: "-1" }, sentences || gettext("Nothing came in."));
  report.replaceChildren(heading);
  if (leftOut.length) {
    const stayed = fill(ngettext("%(n)s was left out", "%(n)s were left out", leftOut.length), { n: number(leftOut.length) });
    report.append(part(stayed, leftOut, ({ title, reason }) => [el("span", { dir: "auto" }, title), el("p", {}, reason)]));
  }
  if (kept.length) report.append(part(voice, kept, ({ title, url }) => [el("a", { href: url, dir: "auto" }, title)]));
  if (imported.length) {
    report.append(part(came, imported, ({ title, url, notes }) => [el("a", { href: url, dir: "auto" }, title || gettext("New chat")), ...notes.map((note) => el("p", {}, note))]));
  }
  report.hidden = false;
  form.reset();
  heading.focus();
}

/** A list under its heading, open when it is short. */
function part(words, all, row) {
  const list = el("ul", {}, ...all.slice(0, SHOWN).map((each) => el("li", {}, ...row(each))));
  if (all.length > SHOWN) list.append(el("li", {}, fill(gettext("and %(n)s more"), { n: number(all.length - SHOWN) })));
  return el("details", { open: all.length <= 12 }, el("summary", {}, words), list);
}
