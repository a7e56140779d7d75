/**
 * Translated texts. `gettext` and `ngettext` come from Django's catalogue (/jsi18n/), which pages load first.
 */

/**
 * @type {{ gettext?: (text: string) => string, ngettext?: (one: string, many: string, n: number) => string }}
 */
const catalogue = /** @type {any} */ (globalThis);

/** @param {string} text */
export const gettext = (text) => (catalogue.gettext ? catalogue.gettext(text) : text);

/** @param {string} one @param {string} many @param {number} n */
export const ngettext = (one, many, n) =>
  catalogue.ngettext ? catalogue.ngettext(one, many, n) : n === 1 ? one : many;

/**
 * Replaces "%(name)s" by values.name, as on the Python side.
 * @param {string} text @param {Record<string, unknown>} values
 */
export const fill = (text, values) => text.replace(/%\((\w+)\)[sd]/g, (_, name) => String(values[name]));

/** Returns the language tag of the page. */
export const language = () => globalThis.document?.documentElement.lang || "en";
