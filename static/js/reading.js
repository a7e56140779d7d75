/** A page that is only read (a shared conversation, one to be printed). Without scripts its text is all there. */

import { decorate } from "grokweb/decorate.js";

for (const body of document.querySelectorAll(".message.assistant .markdown")) decorate(body, false);
