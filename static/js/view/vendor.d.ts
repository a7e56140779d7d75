/** Third-party modules without types of their own. Types only. */

declare module "vendor/highlight.js" {
  const highlight: {
    getLanguage(name: string): unknown;
    registerLanguage(name: string, grammar: unknown): void;
    highlight(text: string, options: { language: string; ignoreIllegals: boolean }): { value: string };
  };
  export default highlight;
}

declare module "vendor/highlight/*" {
  const grammar: unknown;
  export default grammar;
}
