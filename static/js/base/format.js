/** Numbers, dates, durations and sizes in the reader's language. */

import { fill, gettext, language } from "grokweb/base/i18n.js";

/** @param {number} n */
export const number = (n, lang = language()) => new Intl.NumberFormat(lang).format(n);

/** @param {number} n */
export const decimal = (n, digits = 3, lang = language()) =>
  new Intl.NumberFormat(lang, { maximumFractionDigits: digits }).format(n);

/**
 * Ordinal numbers by the plural category of their language (CLDR: "one", "two", "few", "other"; "zero" and
 * "many" use "other"). A catalogue writes all four, and repeats a form where its language has fewer.
 * @returns {Record<string, string>}
 */
const ordinalForms = () => ({
  one: gettext("%(n)sst"), two: gettext("%(n)snd"), few: gettext("%(n)srd"), other: gettext("%(n)sth"),
});

/**
 * Formats 3 as "3rd", "3e", "3.". English rules choose the form where the catalogue does not translate it.
 * @param {number} n
 */
export function ordinal(n, lang = language()) {
  const forms = ordinalForms();
  const rules = new Intl.PluralRules(forms.other === "%(n)sth" ? "en" : lang, { type: "ordinal" });
  return fill(forms[rules.select(n)] ?? forms.other, { n: number(n, lang) });
}

/**
 * Formats a duration in seconds; whole minutes above a minute.
 * @param {number} n
 */
export function seconds(n) {
  if (n < 60) return fill(gettext("about %(n)s s"), { n: Math.max(1, Math.round(n)) });
  return fill(gettext("about %(n)s min"), { n: Math.round(n / 60) });
}

/**
 * Formats a measured duration in seconds: "12 s", "2 min 5 s".
 * @param {number} n
 */
export function duration(n, lang = language()) {
  const whole = Math.max(0, Math.round(n));
  const part = (/** @type {number} */ value, /** @type {string} */ unit) =>
    new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "short" }).format(value);
  if (whole < 60) return part(whole, "second");
  const minutes = part(Math.floor(whole / 60), "minute");
  return whole % 60 ? `${minutes} ${part(whole % 60, "second")}` : minutes;
}

/** @param {string} iso @param {Intl.DateTimeFormatOptions} [options] */
export function date(iso, options = { dateStyle: "medium" }) {
  return new Intl.DateTimeFormat(language(), options).format(new Date(iso));
}

/**
 * Returns the sidebar's heading for a conversation last used at `iso`.
 * @param {string} iso
 */
export function period(iso, now = new Date()) {
  const then = new Date(iso);
  const midnight = (/** @type {Date} */ d) => new Date(d.getFullYear(), d.getMonth(), d.getDate());
  const days = Math.round((midnight(now).getTime() - midnight(then).getTime()) / 86_400_000);
  if (days <= 0) return gettext("Today");
  if (days === 1) return gettext("Yesterday");
  if (days < 7) return gettext("Last 7 days");
  if (days < 30) return gettext("Last 30 days");
  const month = new Intl.DateTimeFormat(language(), { month: "long", year: "numeric" }).format(then);
  return month.charAt(0).toUpperCase() + month.slice(1);
}

const KIB = 1024;
const MIB = 1024 ** 2;

/**
 * Formats a size in bytes. A MB is 2**20 bytes, as the settings and a proxy's configuration count.
 * @param {number} n
 */
export function bytes(n) {
  if (n < KIB) return fill(gettext("%(n)s B"), { n: number(n) });
  if (n < MIB - KIB / 2) return fill(gettext("%(n)s kB"), { n: number(Math.round(n / KIB)) });
  return fill(gettext("%(n)s MB"), { n: number(Math.round((10 * n) / MIB) / 10) });
}
