/**
 * Objects of the JSON API and of frames, as docs/protocol.md defines them. Types only: nothing here is loaded
 * by a page.
 */

/** What a model writes: text of the answer, and what is kept apart from it. `step`: the next step begins. */
export type Kind = "text" | "thought" | "call" | "step";

export interface Origin {
  /** The service that the answer was imported from, "file", or "edited" by the person. */
  source: string;
  /** The model that the file names, or "". */
  model: string;
  /** True where the model here wrote the rest. */
  continued: boolean;
}

export type Status = "live" | "complete" | "stopped" | "failed" | "refused";

export interface ToolCall {
  id: string;
  step: number;
  position: number;
  name: string;
  /** JSON, as the model wrote it. */
  arguments: string;
  status: "waiting" | "queued" | "running" | "done" | "failed" | "refused" | "unknown";
  /** Why there is no ordinary result, or "". */
  error: string;
  /** Its beginning; `cut`: there is more. */
  result: string;
  cut: boolean;
  /** Milliseconds that the tool ran. */
  ms: number | null;
  /** Of two states, the higher is newer. */
  version: number;
}

/** Stands for the oldest messages of a branch in prompts. */
export interface Summary {
  id: string;
  version: number;
  status: "waiting" | "ready" | "undone" | "stopped";
  text: string;
  /** Whether its text is the person's own. */
  edited: boolean;
  model: string;
  created_at: string;
}

export interface Message {
  id: string;
  conversation: string;
  parent: string | null;
  role: "user" | "assistant" | "system";
  text: string;
  status: Status;
  created_at: string;
  hidden: boolean;
  /** Prompts always have it. */
  pinned?: boolean;
  generation: { id: string; seq: number; model: string } | null;
  /** 1 or 2, of an answer that was asked for beside that of another model. */
  column?: number;
  reason: string;
  /** The text started again, with other words than a reader may have seen. */
  restarted?: boolean;
  /** Ids of all messages in this place of the tree, its own too, oldest first. */
  siblings: string[];
  files?: AttachedFile[];
  origin?: Origin;
  /** What the model wrote beside the answer: `offset` code points of `text` stand before it. */
  parts?: { kind: Kind; text: string; offset: number; duration_ms?: number }[];
  /** Calls of tools, in order. */
  calls?: ToolCall[];
  /** 1 or -1 */
  feedback?: number;
  differs?: Record<string, any>;
  /** Of the branch down to this answer. */
  summary?: Summary | null;
  /** Why the reply failed, in the reader's language: from `done`, not stored. */
  words?: string;
}

/**
 * A message as the page shows it: one of the server, or one that this tab has asked for and the server has
 * not stored yet.
 */
export interface ShownMessage extends Partial<Omit<Message, "id" | "role" | "text">> {
  id: string;
  role: Message["role"];
  text: string;
  pending?: boolean;
  /** A line below a pending message. */
  state?: string;
  takeBack?: () => void;
  /** Of two answers side by side: whether the next question follows this one. */
  side?: "chosen" | "other";
}

export interface Conversation {
  id: string;
  title: string;
  model: string;
  pinned: boolean;
  archived: boolean;
  temporary: boolean;
  folder: string | null;
  created_at: string;
  updated_at: string;
  url: string;
}

export interface Folder {
  id: string;
  name: string;
}

export interface AttachedFile {
  id: string;
  name: string;
  size: number;
  kind?: string;
  /** "up" while it is uploaded, then as the server says. */
  state: "up" | "reading" | "ready" | "failed";
  words?: string;
  remarks?: string[];
  characters: number;
  tokens: number;
  original?: boolean;
  /** Width and height of an image that can be shown. */
  image?: [number, number] | null;
}

export interface Model {
  slug: string;
  name: string;
  about: string;
  is_demo: boolean;
  context_tokens: number;
  answer_tokens: { usual: number; longest: number };
  sampling: Record<string, number>;
  /** How much it can be asked to think, least first. */
  efforts: string[];
  /** Whether it sees images. */
  images: boolean;
  /** How much staff let it think where nobody chose; "" for as it does by itself. */
  effort?: string;
  message_chars: number;
  hidden: boolean;
  /** How many times a token counts in quotas. */
  price: number;
  /** Whether it answers this person no more: staff retired it, or limited it to groups (`limited`). */
  retired?: boolean;
  limited?: boolean;
  successor?: Model | null;
  /** null where the server does not know. */
  running?: boolean | null;
  /** Whether a worker was started here that has not answered yet. */
  starting?: boolean;
  /** When a worker of it was seen last; null for never. */
  last_seen?: string | null;
  /** The code of what keeps every worker from answering. */
  problem?: string;
  waiting?: number;
  estimate?: number | null;
}

export interface Persona {
  id: string;
  name: string;
  own: boolean;
  tokens: number;
}

export type Settings = Record<string, number | string>;

/** The persona and sampling settings of a conversation. */
export interface ConversationSettings {
  persona: Persona | null;
  settings: Settings;
}

/** Personas to choose from, limits and defaults of settings, and the tokens that custom instructions take. */
export interface SettingsOffers {
  personas: Persona[];
  /** That of new chats, as the person chose it. */
  preferred: Persona | null;
  /** Those with which new chats begin without that, by the slug of their model. */
  of_models: Record<string, Persona>;
  instructions: number;
  prompts: boolean;
  bounds: Record<string, [number, number]>;
  usual: Record<string, number>;
}

export interface Share {
  token: string;
  url: string;
  policy: string;
  policy_label: string;
  /** Whether its page shows what the model thought before its answers. */
  thoughts: boolean;
  /** Whether its page shows the images of questions, not only their names. */
  images: boolean;
  expires_at: string | null;
}

/** A question with its answers, by the ids of its first and last message. */
export interface ContextTurn {
  first: string;
  last: string;
  /** The first words of the question, or "". */
  words: string;
  tokens: number;
  pinned?: boolean;
}

/** How many tokens of the model's context a conversation takes. */
export interface ContextUse {
  tokens: number;
  exact: boolean;
  limit?: number;
  /** Where it is nearly full: how many tokens a prompt may have, and the turns of the branch, oldest first. */
  room?: number;
  turns?: ContextTurn[];
}

export interface DailyUsage {
  used: number;
  limit: number;
}

/** A page of the open branch: `more` and `later` tell whether there are messages above and below it. */
export interface MessagePage {
  messages: Message[];
  more?: boolean;
  later?: boolean;
  /** The answer of a second model beside the last message. */
  beside?: Message | null;
}

export interface ConversationPage {
  conversations: Conversation[];
  next: string | null;
  folders: Folder[];
}

/** GET /api/conversations/<id>/ */
export interface ConversationDetail {
  conversation: Conversation;
  shares: Share[];
  taken_down?: string | null;
  context?: ContextUse;
  conversation_settings?: ConversationSettings;
  model?: Model | null;
}

/** The JSON inside the chat page (`#page`). */
export interface PageData extends ConversationPage, MessagePage, Omit<ConversationDetail, "conversation"> {
  user: { id: string; name: string };
  models: Model[];
  conversation: Conversation | null;
  usage: DailyUsage | null;
  max_chars: number;
  is_staff: boolean;
  speech: boolean;
  personas: SettingsOffers;
  files: { max_bytes: number; max_count: number };
  event_number: number | null;
  push?: boolean;
}
