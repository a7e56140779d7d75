/**
 * Sentences about the state of a message: its place in the queue, how it ended, where it came from.
 *
 * @import { Message, Model, Origin, ShownMessage } from "grokweb/wire/objects.js"
 */

import { ordinal, seconds } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";

const EDITED = "edited"; // chat/conversations/origins.py has the same
const STEP = 10 ** 9; // numbers of one step; chat/turns/event_positions.py has the same

/**
 * Returns what a person who waits reads. `place` is null until the server has sent one.
 * @param {{ position: number, estimate?: number | null } | null} place
 */
export function waiting(place) {
  if (!place) return "";
  if (place.position === 0) return gettext("The model is not running; your message waits.");
  const time = place.estimate === null || place.estimate === undefined ? "" : seconds(place.estimate);
  if (place.position === 1) {
    return time ? fill(gettext("You are next, %(time)s"), { time }) : gettext("You are next");
  }
  const values = { place: ordinal(place.position), time };
  return fill(time ? gettext("You are %(place)s in line, %(time)s") : gettext("You are %(place)s in line"), values);
}

/**
 * Returns why a reply is not whole, or "" when it is. `said`: the server's own words, where it gave some.
 * @param {Pick<ShownMessage, "hidden" | "status" | "reason" | "text" | "parts">} message
 */
export function outcome(message, said = "") {
  if (message.hidden) return gettext("A moderator removed this message.");
  if (message.status === "stopped") return gettext("You stopped this reply.");
  if (message.status === "failed") return said || gettext("This reply could not be finished.");
  if (message.status === "refused") return said || gettext("This reply was held back by a rule of this site.");
  if (thoughtOnly(message)) {
    return gettext("The reply used its whole length for thinking. You can continue it, or ask again with a longer length.");
  }
  if (message.reason === "length") return gettext("The reply ends here because it reached the longest length allowed.");
  if (message.status === "complete" && message.text === "") return gettext("The model had nothing to say.");
  return "";
}

/** @param {Pick<ShownMessage, "reason" | "text" | "parts">} message */
const thoughtOnly = ({ reason, text, parts }) => reason === "length" && text === "" && Boolean(parts?.length);

/**
 * Returns twice the length of a reply that used all of it for thinking, as far as its model allows; null for
 * other replies, and where it had the longest already.
 * @param {ShownMessage} message @param {Model[]} models
 */
export function longerLimit(message, models) {
  const { generation } = message;
  const longest = models.find((each) => each.slug === generation?.model)?.answer_tokens.longest ?? 0;
  const used = (generation?.seq ?? 0) % STEP;
  if (!thoughtOnly(message) || !used || used >= longest) return null;
  return Math.min(longest, 2 * used);
}

/**
 * Tells whether there may be more to say: the limit was reached, somebody stopped the reply, or it broke off.
 * @param {ShownMessage} message
 */
export const wasCut = ({ reason, status }) =>
  reason === "length" || status === "stopped" || status === "failed";

/**
 * Tells whether there is something to continue: text, or a thought without the calls of several steps.
 * chat/turns/continued_thought.py has the same rule.
 * @param {ShownMessage} message
 */
export const hasBeginning = ({ text, parts, calls }) =>
  text !== "" || Boolean(!calls?.length && parts?.length && parts.every(({ kind }) => kind === "thought"));

/**
 * Tells whether a person wrote this version of an answer, or its beginning.
 * @param {{ origin?: Origin }} message
 */
export const isEdited = ({ origin }) => origin?.source === EDITED;

/**
 * Returns where an answer comes from that the model here did not write; "" for all others.
 * chat/conversations/origins.py has the same sentences.
 * @param {{ origin?: Origin }} message
 */
export function originOf({ origin }) {
  if (!origin) return "";
  if (isEdited({ origin })) {
    return origin.continued
      ? gettext("Begins with words edited by the person who asked")
      : gettext("Edited by the person who asked");
  }
  const source = origin.source === "file" ? gettext("a file") : origin.source;
  const begins = gettext("Begins with words imported from %(source)s");
  const words = fill(origin.continued ? begins : gettext("Imported from %(source)s"), { source });
  if (!origin.model) return words;
  return fill(gettext("%(words)s, which names the model %(model)s"), { words, model: origin.model });
}
