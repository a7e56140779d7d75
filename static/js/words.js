/** Words in the reader's language. `gettext` and its kin come from Django's catalogue (/jsi18n/), loaded before. */

const catalogue = globalThis;

export const gettext = (text) => (catalogue.gettext ? catalogue.gettext(text) : text);
export const ngettext = (one, many, n) =>
  catalogue.ngettext ? catalogue.ngettext(one, many, n) : n === 1 ? one : many;

/** "%(name)s" -> values.name, as on the Python side. */
export const fill = (text, values) => text.replace(/%\((\w+)\)[sd]/g, (_, name) => String(values[name]));

export const language = () => globalThis.document?.documentElement.lang || "en";

export const number = (n, lang = language()) => new Intl.NumberFormat(lang).format(n);

/** 3 -> "3rd", "3e". Only the languages of this site; others read a plain number. */
export function ordinal(n, lang = language()) {
  const kind = new Intl.PluralRules(lang, { type: "ordinal" }).select(n);
  const ends = { en: { one: "st", two: "nd", few: "rd", other: "th" }, fr: { one: "re", other: "e" } };
  return `${n}${ends[lang.split("-")[0]]?.[kind] ?? ""}`;
}

/** Seconds as people say them; whole minutes above a minute. */
export function seconds(n) {
  if (n < 60) return fill(gettext("about %(n)s s"), { n: Math.max(1, Math.round(n)) });
  return fill(gettext("about %(n)s min"), { n: Math.round(n / 60) });
}

/** What a person who waits reads. `place` is null until the server has said something. */
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

/** Why a reply is not whole, or "" when it is. `said` are the server's own words, where it gave some. */
export function outcome(message, said = "") {
  if (message.hidden) return gettext("A moderator removed this message.");
  if (message.status === "stopped") return gettext("You stopped this reply.");
  if (message.status === "failed") return said || gettext("This reply could not be finished.");
  if (message.status === "refused") return said || gettext("This reply was held back by a rule of this site.");
  if (message.reason === "length") return gettext("The reply ends here because it reached the longest length allowed.");
  if (message.status === "complete" && message.text === "") return gettext("The model had nothing to say.");
  return "";
}

/** Where an answer comes from that the model here did not write; "" for all others. chat/conversations/origins.py says the same. */
export function originOf({ origin }) {
  if (!origin) return "";
  const source = origin.source === "file" ? gettext("a file") : origin.source;
  const words = fill(origin.continued ? gettext("Begins with words imported from %(source)s") : gettext("Imported from %(source)s"), { source });
  return origin.model ? fill(gettext("%(words)s, which names the model %(model)s"), { words, model: origin.model }) : words;
}

export function date(iso, options = { dateStyle: "medium" }) {
  return new Intl.DateTimeFormat(language(), options).format(new Date(iso));
}

/** The sidebar's heading for a conversation last used at `iso`. */
export function period(iso, now = new Date()) {
  const then = new Date(iso);
  const midnight = (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate());
  const days = Math.round((midnight(now) - midnight(then)) / 86_400_000);
  if (days <= 0) return gettext("Today");
  if (days === 1) return gettext("Yesterday");
  if (days < 7) return gettext("Last 7 days");
  if (days < 30) return gettext("Last 30 days");
  const month = new Intl.DateTimeFormat(language(), { month: "long", year: "numeric" }).format(then);
  return month.charAt(0).toUpperCase() + month.slice(1);
}

/** Without accents and capitals: for comparing what people type. */
export const folded = (words) => words.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
