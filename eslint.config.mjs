// `make lint` runs this over the page's modules and their tests.
import js from "@eslint/js";
import globals from "globals";

const FAULTS = {
  eqeqeq: "error",
  "no-implicit-globals": "error",
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "no-empty": ["error", { allowEmptyCatch: true }],
  "no-control-regex": "off", // texts of people and models hold control characters
  "no-var": "error",
  "prefer-const": "error",
  "no-shadow": "error",
  "no-self-compare": "error",
  "no-template-curly-in-string": "error",
  "no-unmodified-loop-condition": "error",
  "no-unreachable-loop": "error",
  "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
  "array-callback-return": "error",
  "consistent-return": "error",
  "default-case-last": "error",
  "no-constructor-return": "error",
  "no-eval": "error",
  "no-implied-eval": "error",
  "no-new-func": "error",
  "no-script-url": "error",
  "no-return-assign": ["error", "except-parens"],
  "no-throw-literal": "error",
  "prefer-promise-reject-errors": "error",
  radix: "error",
  // A translated text is one literal: tests/js/test_words.py reads it.
  "max-len": ["error", { code: 110, ignorePattern: "gettext\\(\"", ignoreRegExpLiterals: true }],
  "max-lines": ["error", 400],
};
// What writes HTML into the page or the network past the modules that may.
const GUARDED = [
  { object: "document", property: "write", message: "make elements with el()" },
];

export default [
  { ignores: ["build/**", "data/**", "node_modules/**", ".venv/**", "templates/**", "**/*.d.ts"] },
  js.configs.recommended,
  { rules: FAULTS, linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["static/js/**/*.js"],
    languageOptions: { globals: globals.browser },
    rules: {
      "no-restricted-properties": ["error", ...GUARDED],
      "no-restricted-syntax": ["error", {
        selector: "AssignmentExpression[left.property.name=/^(innerHTML|outerHTML)$/]",
        message: "make elements with el(), or sanitise with DOMPurify into a fragment",
      }],
      "no-console": ["error", { allow: ["info", "warn"] }],
    },
  },
  {
    files: ["static/frames/*.js"], // scripts of a document of their own
    languageOptions: { globals: { ...globals.browser, mermaid: "readonly" }, sourceType: "script" },
    rules: { "no-implicit-globals": "off" },
  },
  {
    files: ["tests/js/**/*.mjs", "tests/protocol/*.mjs", "grokweb/*.mjs", "eslint.config.mjs"],
    languageOptions: { globals: globals.node },
  },
  {
    files: ["tests/**/*.mjs"], // samples of what people and models write
    rules: {
      "max-len": ["error", {
        code: 110, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true,
      }],
      "no-template-curly-in-string": "off",
    },
  },
];
