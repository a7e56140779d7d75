/** The objects that the handlers of the chat page share; pages/chat.js makes them. Types only. */

import type { PersonalStorage } from "grokweb/base/storage.js";
import type { ModelStates } from "grokweb/chat/model_state.js";
import type { AlsoAsk } from "grokweb/parts/also_ask.js";
import type { Attachments } from "grokweb/parts/attachments.js";
import type { Composer } from "grokweb/parts/composer.js";
import type { ContextGauge } from "grokweb/parts/context_gauge.js";
import type { SettingsBar } from "grokweb/parts/settings_bar.js";
import type { ShareDialog } from "grokweb/parts/share_dialog.js";
import type { Sidebar } from "grokweb/parts/sidebar/sidebar.js";
import type { TemporaryChat } from "grokweb/parts/temporary_chat.js";
import type { ChatState } from "grokweb/state/chat_state.js";
import type { PendingStorage, QueuedMessages } from "grokweb/state/unsent_messages.js";
import type { Replies } from "grokweb/state/replies.js";
import type { Store } from "grokweb/state/store.js";
import type { Announcer } from "grokweb/ui/announcer.js";
import type { FollowScroll } from "grokweb/ui/follow_scroll.js";
import type { Notices } from "grokweb/ui/notices.js";
import type { Transcript } from "grokweb/view/transcript.js";
import type { PageData } from "grokweb/wire/objects.js";
import type { PageSocket } from "grokweb/wire/socket.js";

export interface ChatPage {
  data: PageData;
  store: Store<ChatState>;
  pendingStorage: PendingStorage;
  queued: QueuedMessages;
  drafts: PersonalStorage;
  replies: Replies;
  socket: PageSocket;

  main: HTMLElement;
  announcer: Announcer;
  alsoAsk: AlsoAsk;
  attachments: Attachments;
  closeDrawer: () => void;
  composer: Composer;
  follow: FollowScroll;
  gauge: ContextGauge;
  modelStates: ModelStates;
  notices: Notices;
  settingsBar: SettingsBar;
  shareDialog: ShareDialog;
  sidebar: Sidebar;
  temporary: TemporaryChat;
  transcript: Transcript;
}
