/**
 * The highlighter; loaded with the first code that has a language, each grammar with the first code of its
 * own.
 */

import highlight from "vendor/highlight.js";

/** Those that grokweb/vendor.py serves. @type {Record<string, () => Promise<{ default: unknown }>>} */
const GRAMMARS = {
  bash: () => import("vendor/highlight/bash.js"),
  c: () => import("vendor/highlight/c.js"),
  cpp: () => import("vendor/highlight/cpp.js"),
  csharp: () => import("vendor/highlight/csharp.js"),
  css: () => import("vendor/highlight/css.js"),
  diff: () => import("vendor/highlight/diff.js"),
  go: () => import("vendor/highlight/go.js"),
  java: () => import("vendor/highlight/java.js"),
  javascript: () => import("vendor/highlight/javascript.js"),
  json: () => import("vendor/highlight/json.js"),
  kotlin: () => import("vendor/highlight/kotlin.js"),
  markdown: () => import("vendor/highlight/markdown.js"),
  php: () => import("vendor/highlight/php.js"),
  python: () => import("vendor/highlight/python.js"),
  ruby: () => import("vendor/highlight/ruby.js"),
  rust: () => import("vendor/highlight/rust.js"),
  sql: () => import("vendor/highlight/sql.js"),
  swift: () => import("vendor/highlight/swift.js"),
  typescript: () => import("vendor/highlight/typescript.js"),
  xml: () => import("vendor/highlight/xml.js"),
  yaml: () => import("vendor/highlight/yaml.js"),
};

/**
 * Returns HTML of spans with classes, to be sanitised; null for a language that is not known.
 * @param {string} text @param {string} name
 * @returns {Promise<string | null>}
 */
export async function highlighted(text, name) {
  if (!Object.hasOwn(GRAMMARS, name)) return null;
  if (!highlight.getLanguage(name)) highlight.registerLanguage(name, (await GRAMMARS[name]()).default);
  return highlight.highlight(text, { language: name, ignoreIllegals: true }).value;
}
