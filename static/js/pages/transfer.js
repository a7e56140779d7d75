/**
 * "Your data" on the settings page: uploads a file to import, and shows the report of what was imported.
 *
 * @typedef {object} Report
 * @property {{ title: string, url: string, notes: string[] }[]} imported  conversations
 * @property {{ title: string, url: string }[]} kept  folders, prompts, personas, settings
 * @property {{ title: string, reason: string }[]} left_out
 * @property {number} messages
 */

import { number } from "grokweb/base/format.js";
import { fill, gettext, ngettext } from "grokweb/base/i18n.js";
import { el, find, showError, valueOf } from "grokweb/ui/dom.js";
import { tooLarge, upload } from "grokweb/wire/upload.js";

const SHOWN = 100; // of each list; nobody reads more
const SHORT = 12; // entries of a list that is open from the beginning

const section = find("[data-transfer]");
const form = find("form[data-import]", section);
const progress = find("[data-importing]", section);
const report = find("[data-report]", section);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = find("input[type=file]", form).files?.[0];
  if (file) send(file);
});

/** @param {File} file */
const overLimit = (file) => fill(gettext("A file may have at most %(limit)s MB."), { limit: number(limitOf(file)) });

/** @param {File} file */
function send(file) {
  showError(form);
  report.hidden = true;
  if (file.size > limitOf(file) * 2 ** 20) {
    showError(form, overLimit(file));
    return;
  }
  setBusy(true);
  upload("/api/import/", file, valueOf(form, "csrfmiddlewaretoken"), {
    progress: showSent,
    sent: showReading,
    ended: (request) => { setBusy(false); ended(request, file); },
  });
}

/**
 * Returns the limit in MB: a zip may hold the bytes of files, too.
 * @param {File} file
 */
function limitOf(file) {
  return Number(/\.zip$/i.test(file.name) ? form.dataset.zipLimit : form.dataset.limit);
}

/** @param {boolean} on */
function setBusy(on) {
  progress.hidden = !on;
  find("[type=submit]", form).disabled = on;
  if (on) showSent(0);
}

/** @param {number} part  0 to 1 */
function showSent(part) {
  find("progress", progress).value = part;
  say(gettext("The file is sent."));
}

function showReading() {
  find("progress", progress).removeAttribute("value"); // how long it takes is not known
  say(gettext("Reading the conversations. This can take a minute or two."));
}

/** @param {string} words */
function say(words) {
  const line = find("[role=status]", progress);
  if (line.textContent !== words) line.textContent = words;
}

/** @param {XMLHttpRequest} request @param {File} file */
function ended(request, file) {
  if (request.status === 401) location.reload();
  if (request.status === 200 && request.response?.report) showReport(request.response.report);
  else showError(form, whyFailed(request, file));
}

/** @param {XMLHttpRequest} request @param {File} file */
function whyFailed(request, file) {
  if (request.status === 413) return tooLarge(request, file.size, overLimit(file));
  const words = request.response?.error?.words;
  if (words) return words;
  if (request.status) return gettext("Something went wrong. Please try again.");
  return gettext("The server cannot be reached. Please try again.");
}

/** @param {Report} report */
function showReport({ imported, kept, left_out: leftOut, messages }) {
  const count = (/** @type {string} */ words, /** @type {number} */ n) => fill(words, { n: number(n) });
  const [conversations, others, left] = [imported.length, kept.length, leftOut.length];
  const came = count(
    ngettext("%(n)s conversation was imported", "%(n)s conversations were imported", conversations),
    conversations,
  );
  const said = count(ngettext("%(n)s message", "%(n)s messages", messages), messages);
  const rest = count(
    ngettext("%(n)s folder, prompt, persona or setting was imported", "%(n)s folders, prompts, personas or settings were imported", others),
    others,
  );
  const all = [conversations ? `${came}, ${said}.` : "", others ? `${rest}.` : ""];
  const sentences = all.filter(Boolean).join(" ");
  const heading = el("h3", { tabindex: "-1" }, sentences || gettext("Nothing was imported."));
  report.replaceChildren(heading);
  if (left) {
    const stayed = count(ngettext("%(n)s was left out", "%(n)s were left out", left), left);
    report.append(listOf(stayed, leftOut, ({ title, reason }) =>
      [el("span", { dir: "auto" }, title), el("p", {}, reason)]));
  }
  if (others) {
    report.append(listOf(rest, kept, ({ title, url }) => [el("a", { href: url, dir: "auto" }, title)]));
  }
  if (conversations) {
    report.append(listOf(came, imported, ({ title, url, notes }) => [
      el("a", { href: url, dir: "auto" }, title || gettext("New chat")),
      ...notes.map((note) => el("p", {}, note)),
    ]));
  }
  report.hidden = false;
  form.reset();
  heading.focus();
}

/**
 * Makes a list under its heading, open when it is short.
 * @template T
 * @param {string} words @param {T[]} all @param {(each: T) => Node[]} row
 */
function listOf(words, all, row) {
  const list = el("ul", {}, ...all.slice(0, SHOWN).map((each) => el("li", {}, ...row(each))));
  if (all.length > SHOWN) {
    list.append(el("li", {}, fill(gettext("and %(n)s more"), { n: number(all.length - SHOWN) })));
  }
  return el("details", { open: all.length <= SHORT }, el("summary", {}, words), list);
}
