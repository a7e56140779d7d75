/**
 * The commands of the palette, which are listed beside conversations and messages.
 *
 * @typedef {object} Command
 * @property {string} name  of its icon
 * @property {string} words
 * @property {string} [also]  other words that find it
 * @property {() => void} run
 */

import { fill, gettext } from "grokweb/base/i18n.js";
import { find } from "grokweb/ui/dom.js";

/** @param {string} selector */
const press = (selector) => () => find(selector).click();

function toggleSidebar() {
  const isShown = getComputedStyle(find("[data-expand]")).display === "none";
  find(isShown ? "[data-collapse]" : "[data-expand]").click();
}

/** Returns the commands that are listed before anything is typed. @returns {Command[]} */
export const commands = () => [
  { name: "new", words: gettext("New chat"), run: press(".new-chat") },
  { name: "panel", words: gettext("Show or hide the sidebar"), run: toggleSidebar },
  { name: "settings", words: gettext("Settings"), run: press("[data-settings]") },
  { name: "keys", words: gettext("Keyboard shortcuts"), run: press("[data-shortcuts]") },
];

/** @param {string} value @param {string} name @returns {Command} */
const theme = (value, name) => ({
  name: "settings",
  words: fill(gettext("Colours: %(name)s"), { name }),
  also: gettext("Theme"),
  run: press(`[data-appearance] [value=${value}]`),
});

/** @param {string} path @param {string} name @param {string} [also] @returns {Command} */
const section = (path, name, also) => ({
  name: "settings",
  words: fill(gettext("Settings: %(name)s"), { name }),
  also,
  run: () => location.assign(path),
});

/** Returns commands that are found by name alone: too many to be listed before anything is typed. */
export const settingsCommands = () => [
  theme("light", gettext("Light")),
  theme("dark", gettext("Dark")),
  theme("system", gettext("System")),
  section("/settings/#profile", gettext("Profile"), gettext("Name")),
  section("/settings/#appearance", gettext("Appearance"), gettext("Density")),
  section("/settings/#writing", gettext("Writing"), gettext("Enter sends the message")),
  section("/settings/#usage", gettext("Use today"), gettext("Quota")),
  section("/settings/#data", gettext("Your data"), gettext("Export and import")),
  section("/settings/#sessions", gettext("Sessions"), gettext("Devices")),
  section("/settings/#login", gettext("E-mail and password"), gettext("Second factor")),
  section("/settings/#delete", gettext("Delete"), gettext("Account")),
  section("/settings/answers/#instructions", gettext("Instructions")),
  section("/settings/answers/#new-chats", gettext("New chats"), gettext("Model")),
  section("/settings/answers/#personas", gettext("Personas")),
  section("/settings/answers/#prompts", gettext("Prompts")),
];
