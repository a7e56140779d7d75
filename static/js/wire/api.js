/** JSON requests to the server. Errors carry the server's own words, in the reader's language. */

import { gettext } from "grokweb/base/i18n.js";

export class ApiError extends Error {
  /**
   * @param {number} status  the HTTP status; 0 where no answer came
   * @param {{ code?: string, words?: string }} [error]
   */
  constructor(status, { code = "error", words = "" } = {}) {
    super(words || wordsFor(code));
    this.status = status;
    this.code = code;
  }
}

/**
 * Returns words for an error without any: with a full disk the server fails before it knows the reader's
 * language.
 * @param {string} code
 */
function wordsFor(code) {
  if (code !== "storage_full") return gettext("Something went wrong. Please try again.");
  return gettext("The server has no room to store anything at the moment. Please try again later.");
}

/** Returns the CSRF token; the cookie is newer than the page after a login elsewhere. */
export function csrfToken() {
  const cookie = /(?:^|; )grokweb_csrf=([^;]+)/.exec(document.cookie);
  if (cookie) return decodeURIComponent(cookie[1]);
  return /** @type {HTMLMetaElement} */ (document.querySelector('meta[name="csrf-token"]')).content;
}

/**
 * Sends a request and returns the JSON of the answer ({} for 204). Throws an ApiError for any other answer.
 * @param {string} method @param {string} path @param {unknown} [data]  sent as JSON
 * @param {RequestInit} [options]  for fetch, such as { keepalive: true } for what must arrive though the page
 *   is left
 * @returns {Promise<any>}
 */
export async function call(method, path, data, options = {}) {
  let response;
  try {
    response = await fetch(path, {
      ...options,
      method,
      headers: {
        accept: "application/json",
        ...(data === undefined ? {} : { "content-type": "application/json" }),
        ...(method === "GET" ? {} : { "x-csrftoken": csrfToken() }),
      },
      body: data === undefined ? undefined : JSON.stringify(data),
    });
  } catch {
    throw new ApiError(0, { code: "offline", words: gettext("The server cannot be reached. Please try again.") });
  }
  if (response.status === 204) return {};
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  if (response.status === 401) location.assign(loginUrl());
  if (body.error?.code === "suspended") location.reload();
  throw new ApiError(response.status, body.error);
}

export const loginUrl = () => `/accounts/login/?next=${encodeURIComponent(location.pathname)}`;
