// Reads a JSON list of texts from standard input; writes the HTML that the chat makes of each, as a list.
import { readFileSync } from "node:fs";
import { lex, toHtml } from "grokweb/markdown/markdown.js";

/** @type {string[]} */
const texts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(texts.map((text) => toHtml(lex(text)))));
