/**
 * The tools that an answer used: a line each, with arguments and result on request, and buttons where the
 * person decides.
 *
 * @import { ToolCall } from "grokweb/wire/objects.js"
 */

import { duration } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";
import { el } from "grokweb/ui/dom.js";
import { textButton } from "grokweb/view/tool_button.js";

/** @param {ToolCall} call */
function title(call) {
  const { name } = call;
  switch (call.status) {
    case "waiting": return fill(gettext("Use %(name)s?"), { name });
    case "queued":
    case "running": return fill(gettext("Using %(name)s…"), { name });
    case "done": {
      const words = fill(gettext("Used %(name)s"), { name });
      return call.ms === null ? words : `${words} · ${duration(call.ms / 1000)}`;
    }
    case "failed": return fill(gettext("%(name)s failed"), { name: name || gettext("A tool") });
    case "unknown": return fill(gettext("It is unknown whether %(name)s was carried out"), { name });
    default: return fill(gettext("%(name)s was not used"), { name });
  }
}

/** Returns why a call has no result, or "". @param {ToolCall} call */
function reason({ error }) {
  switch (error) {
    case "not_a_call":
    case "arguments": return gettext("The model called it in a way that it does not understand.");
    case "no_tool": return gettext("There is no such tool here.");
    case "denied": return gettext("You did not allow it.");
    case "not_decided": return gettext("Nobody answered in time whether it is allowed.");
    case "ended": return gettext("The answer had ended.");
    case "quota": return gettext("Your tokens for today are used up.");
    case "time": return gettext("It took too long.");
    case "broken": return gettext("It failed unexpectedly.");
    case "lost": return gettext("Its process ended before the result came.");
    case "not_run": return gettext("It is not available at the moment.");
    case "withheld": return gettext("A rule of this service forbids the result.");
    default: return "";
  }
}

/** Returns arguments to read. @param {string} written  JSON */
function readable(written) {
  try {
    return JSON.stringify(JSON.parse(written), null, 2);
  } catch {
    return written;
  }
}

/** @param {string} text */
const lines = (text) => el("pre", { dir: "auto" }, text);

export class CallsView {
  /** @param {(call: string, allow: boolean) => void} decide */
  constructor(decide) {
    this.decide = decide;
    this.node = el("div", { class: "calls", hidden: true });
    /** @type {Map<string, { node: HTMLDetailsElement, version: number, live: boolean }>} */
    this.shown = new Map();
  }

  /** @param {ToolCall[]} calls @param {{ live: boolean }} options  live: the reply is being written */
  update(calls, { live }) {
    this.node.hidden = !calls.length;
    for (const call of calls) this.put(call, live);
    for (const [id, { node }] of this.shown) {
      if (calls.some((call) => call.id === id)) continue;
      node.remove();
      this.shown.delete(id);
    }
    const nodes = calls.map((call) => /** @type {HTMLElement} */ (this.shown.get(call.id)?.node));
    if (nodes.some((node, at) => this.node.children[at] !== node)) this.node.replaceChildren(...nodes);
  }

  /** @param {ToolCall} call @param {boolean} live */
  put(call, live) {
    const known = this.shown.get(call.id);
    if (known && known.version === call.version && known.live === live) return;
    const asks = call.status === "waiting" && live;
    const node = known?.node ?? el("details", { class: "call" });
    if (!known && asks) node.open = true; // what is to be allowed must be seen
    const had = node.contains(document.activeElement);
    node.dataset.status = call.status;
    node.replaceChildren(
      el("summary", {}, title(call)),
      el("div", { class: "call-text" }, lines(readable(call.arguments)), ...result(call)),
      ...(asks ? [this.buttons(call)] : []),
    );
    if (had) node.querySelector("summary")?.focus();
    this.shown.set(call.id, { node, version: call.version, live });
  }

  /** @param {ToolCall} call */
  buttons(call) {
    return el(
      "div", { class: "call-buttons" },
      textButton(gettext("Allow"), () => this.decide(call.id, true)),
      textButton(gettext("Do not allow"), () => this.decide(call.id, false)),
    );
  }
}

/** @param {ToolCall} call */
function result(call) {
  const words = reason(call);
  return [
    ...(words ? [el("p", {}, words)] : []),
    ...(call.result ? [lines(call.cut ? `${call.result}…` : call.result)] : []),
  ];
}
