/**
 * Which models see images, and what the page says where one does not. chat/model_cards/images.py has the same
 * words.
 *
 * @import { Notices } from "grokweb/ui/notices.js"
 * @import { Message, Model } from "grokweb/wire/objects.js"
 */

import { fill, gettext } from "grokweb/base/i18n.js";

const HEIC = /\.hei[cf]$/i; // many browsers know no type for it
const DRAWING = "image/svg+xml"; // a text

/** @param {{ name: string, type?: string, kind?: string }} file */
export const isImage = ({ name, type = "", kind }) =>
  kind === "image" || (type.startsWith("image/") && type !== DRAWING) || (!type && HEIC.test(name));

/**
 * Returns why a model gets no image, with the models that do; "" if it sees them.
 * @param {Model | undefined} model @param {Model[]} models  those that can be chosen
 */
export function whyBlind(model, models) {
  if (!model || model.images) return "";
  const names = models.filter((each) => each.images).map((each) => each.name).join(", ");
  const words = names
    ? gettext("%(model)s cannot see images. These models can: %(names)s.")
    : gettext("%(model)s cannot see images, and no other model here can.");
  return fill(words, { model: model.name, names });
}

let shown = ""; // which notice is on the page; it is not shown, and not read aloud, again

/**
 * Says that a model does not get the images of the open conversation, if it has some.
 * @param {Notices} notices @param {Model | undefined} model @param {Message[]} messages
 */
export function showLeftOut(notices, model, messages) {
  const has = messages.some((each) => each.files?.some(isImage));
  const blind = model && !model.images && has ? model : null;
  if (shown === (blind?.slug ?? "")) return;
  shown = blind?.slug ?? "";
  notices.clear("images");
  if (!blind) return;
  const words = gettext("%(model)s cannot see images: it answers without those of this conversation.");
  notices.show("images", fill(words, { model: blind.name }), { kind: "warn" });
}
