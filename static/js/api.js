/** The JSON doors (DESIGN section 5). Errors carry the server's own words. */

import { gettext } from "grokweb/words.js";

export class ApiError extends Error {
  constructor(status, { code = "error", words = "" } = {}) {
    super(words || wordsFor(code));
    Object.assign(this, { status, code });
  }
}

/** Where the server could not say it: the disk of its temporary files is full before it knows the reader's language. */
function wordsFor(code) {
  if (code === "storage_full") return gettext("The server has no room to store anything at the moment. Please try again later.");
  return gettext("Something went wrong. Please try again.");
}

export function csrfToken() {
  const cookie = /(?:^|; )grokweb_csrf=([^;]+)/.exec(document.cookie); // newer than the page after a login elsewhere
  return cookie ? decodeURIComponent(cookie[1]) : document.querySelector('meta[name="csrf-token"]').content;
}

/** `how`: more for fetch, such as {keepalive: true} for what must arrive though the page is left at once. */
export async function call(method, path, data, how = {}) {
  let response;
  try {
    response = await fetch(path, {
      ...how,
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
