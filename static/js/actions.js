/** What can be done with an answer beyond the buttons in sight: the entries of its "More" menu. */

import { showDetails } from "grokweb/details.js";
import { copyText, find } from "grokweb/dom.js";
import { plainText, spokenText } from "grokweb/plaintext.js";
import { canRead, isReading, readAloud, stopReading } from "grokweb/speech.js";
import { gettext } from "grokweb/words.js";

/** [{name, words, run}] for openMenu. `report(message)` and `judge(message, 1 | -1)` open dialogs of the page. */
export function moreOf(message, { report, judge }) {
  const items = [{ name: "copy", words: gettext("Copy as text"), run: () => copyAsText(message.text) }];
  if (canRead()) items.push(isReading(message.id)
    ? { name: "close", words: gettext("Stop reading"), run: stopReading }
    : { name: "voice", words: gettext("Read aloud"), run: () => readAloud(message.id, spokenText(message.text)) });
  if (!message.origin) items.push( // else it is not the model's here that would be judged
    { name: "good", words: gettext("Good answer"), run: () => judge(message, 1) },
    { name: "poor", words: gettext("Poor answer"), run: () => judge(message, -1) },
  );
  items.push(
    { name: "flag", words: gettext("Report"), run: () => report(message) },
    { name: "info", words: gettext("Details"), run: () => showDetails(message) },
  );
  return items;
}

async function copyAsText(text) {
  await copyText(plainText(text));
  find("[data-announce]").textContent = gettext("Copied");
}
