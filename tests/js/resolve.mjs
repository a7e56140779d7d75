// Bare names of the page's import map, resolved for node: `node --import ./tests/js/resolve.mjs --test …`.
import { registerHooks } from "node:module";

const root = new URL("../../", import.meta.url);
/** @type {Record<string, string>} */
const VENDOR = {
  "vendor/marked.js": "node_modules/marked/lib/marked.esm.js",
  "vendor/katex.js": "node_modules/katex/dist/katex.mjs",
};

registerHooks({
  resolve(specifier, context, next) {
    const path = specifier.startsWith("grokweb/") ? `static/js/${specifier.slice(8)}` : VENDOR[specifier];
    if (!path) return next(specifier, context);
    return { url: new URL(path, root).href, format: "module", shortCircuit: true };
  },
});
