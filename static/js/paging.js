/** Long conversations by parts, in both directions from where the reader is. */

import { call } from "grokweb/api.js";
import { find } from "grokweb/dom.js";

/**
 * The buttons at both ends. `view` is what is open ({ id, epoch, messages, more, later }), `draw()` shows it, `follow` keeps the
 * reader's place, `failed(words)` says an error. Returns `toNewest()`: whether the end was fetched and is still wanted.
 */
export function wirePaging(view, { draw, follow, failed }) {
  /** A part of the branch: `put(part)` places what `query` brings. */
  async function page(query, put) {
    const { id, epoch } = view;
    try {
      const part = await call("GET", `/api/conversations/${id}/messages/?${query}`);
      if (epoch === view.epoch) put(part);
      return epoch === view.epoch;
    } catch (error) {
      failed(error.message);
      return false;
    }
  }

  const earlier = () => page(`before=${view.messages[0].id}`, (part) => follow.keep(() => {
    follow.held = false;
    view.messages = [...part.messages, ...view.messages];
    view.more = part.more;
    draw();
  }));
  const later = () => page(`after=${view.messages.at(-1).id}`, (part) => {
    follow.held = false;
    view.messages = [...view.messages, ...part.messages];
    view.later = part.later;
    draw();
  });
  const toNewest = () => page("", (part) => {
    Object.assign(view, part);
    draw();
    follow.toEnd();
  });

  for (const [name, load] of [["earlier", earlier], ["later", later]]) {
    const button = find(`[data-${name}] button`);
    button.addEventListener("click", async () => {
      button.disabled = true;
      await load();
      button.disabled = false;
    });
  }
  find("[data-jump]").addEventListener("click", () => { if (view.later) toNewest(); });
  return toNewest;
}
