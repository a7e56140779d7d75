/** Uploads of files. */

import { bytes } from "grokweb/base/format.js";
import { fill, gettext } from "grokweb/base/i18n.js";

/**
 * Uploads a file as the field `file` of a form. `progress(part)` gets the part sent, 0 to 1; `sent()` is
 * called when all of it has gone up, `ended(request)` once at the end, whatever it is. The answer is
 * `request.response`, from JSON.
 * @param {string} path @param {File} file @param {string} csrf
 * @param {{ progress: (part: number) => void, sent?: () => void, ended: (request: XMLHttpRequest) => void }}
 *   handlers
 * @returns {XMLHttpRequest}  of which the caller may use abort()
 */
export function upload(path, file, csrf, { progress, sent, ended }) {
  const request = new XMLHttpRequest(); // fetch does not report how much has gone up
  request.open("POST", path);
  request.setRequestHeader("x-csrftoken", csrf);
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => progress(loaded / total));
  if (sent) request.upload.addEventListener("load", sent);
  request.addEventListener("loadend", () => ended(request));
  const body = new FormData();
  body.append("file", file);
  request.send(body);
  return request;
}

/**
 * Returns why a body of `size` bytes was refused with 413. `ownWords` describe our own limit; a server in
 * front of this one may have a lower one.
 * @param {{ response: any }} request @param {number} size @param {string} ownWords
 */
export function tooLarge({ response }, size, ownWords) {
  if (response?.error?.code === "too_large") return ownWords;
  const words = gettext("A server in front of GrokWeb refused the file because of its size (%(size)s). Its operator can raise that limit.");
  return fill(words, { size: bytes(size) });
}
