/**
 * Pages that are only read (a shared conversation, one to be printed). Without scripts their text is all
 * there.
 */

import { decorate } from "grokweb/view/decorate.js";

for (const body of document.querySelectorAll(".message .markdown")) decorate(body, false);
