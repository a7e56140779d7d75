/**
 * Decorates pages that are only read: shared and printed conversations. Without scripts all text is there.
 */

import { decorate } from "grokweb/view/decorate.js";

for (const body of document.querySelectorAll(".message .markdown")) decorate(body, false);
