/**
 * Frames of the websocket, as docs/protocol.md defines them; tests/js/test_frame_types.py compares the two.
 * Types only.
 */

import type { Conversation, ConversationSettings, Folder, Kind, Message, Model, Status, ToolCall } from "grokweb/wire/objects.js";

// --- To the server -----------------------------------------------------------------------------------------

/** Options of a new conversation (`start` of its first `send`). */
export interface NewConversation {
  model?: string;
  persona?: string | null;
  settings?: Record<string, number | string>;
  temporary?: boolean;
}

/** Options of one reply (`params` of `send` and `regenerate`). */
export type ReplyOptions = Record<string, number | string | null>;

export interface SendFrame {
  type: "send";
  client_id: string;
  conversation: string | null;
  parent: string | null;
  content: string;
  files?: string[];
  params?: ReplyOptions;
  start?: NewConversation;
  /** Slug of a second model, which answers beside the first. */
  also?: string;
}

export interface RegenerateFrame {
  type: "regenerate";
  client_id: string;
  message_id: string;
  params?: ReplyOptions;
}

export interface ContinueFrame {
  type: "continue";
  client_id: string;
  message_id: string;
}

export interface ResumeFrame {
  type: "resume";
  message_id: string;
  after: number;
  run: number;
}

export interface StopFrame {
  type: "stop";
  message_id: string;
}

export interface DecideFrame {
  type: "decide";
  call: string;
  allow: boolean;
}

export interface VisibleFrame {
  type: "visible";
  visible: boolean;
}

export type AskingFrame = SendFrame | RegenerateFrame | ContinueFrame;
export type ClientFrame = (AskingFrame | ResumeFrame | StopFrame | DecideFrame | VisibleFrame) & { ref?: string };

// --- From the server ---------------------------------------------------------------------------------------

export interface HelloFrame {
  type: "hello";
  user: { id: string };
  model: { slug: string; name: string; is_demo: boolean; running: boolean | null; problem?: string };
  event_number: number;
  writable: boolean;
}

export interface AckFrame {
  type: "ack";
  conversation: Conversation;
  messages: Message[];
  message_id: string;
  generation_id: string;
  client_id: string;
  ref?: string;
}

export interface MessageFrame {
  type: "message";
  message: Message;
}

export interface RemovedFrame {
  type: "removed";
  conversation: string;
  message_id: string;
}

export interface EmptiedFrame {
  type: "emptied";
}

export interface MissedFrame {
  type: "missed";
}

export interface QueuedFrame {
  type: "queued";
  message_id: string;
  position: number;
  estimate: number | null;
}

export interface TokenFrame {
  type: "token";
  message_id: string;
  generation_id: string;
  after: number;
  seq: number;
  text: string;
  /** Of a piece that is not text of the answer. */
  kind?: Kind;
  /** Above 0: the text started again so often. */
  run?: number;
  /** Of a thought. */
  duration_ms?: number;
}

export interface DoneFrame {
  type: "done";
  message_id: string;
  generation_id: string;
  status: Exclude<Status, "live">;
  reason: string;
  words: string;
  usage: { prompt_tokens: number; completion_tokens: number };
  seq: number;
  length: number;
  sha256: string;
  run?: number;
}

export interface CallFrame {
  type: "call";
  message_id: string;
  call: ToolCall;
}

export interface ErrorFrame {
  type: "error";
  code: string;
  words: string;
  ref?: string;
  client_id?: string;
  retry_after?: number;
  /** With code `quota_exceeded`. */
  used?: number;
  /** With codes `quota_exceeded` and `too_long`. */
  limit?: number;
  /** With code `too_long`. */
  length?: number;
  /** With code `suspended`. */
  until?: string | null;
  /** With code `model_retired`: the slug that was requested, and the model that can continue. */
  model?: string;
  successor?: Model | null;
  /** Whether the model is for groups that the person does not belong to. */
  limited?: boolean;
}

export interface StorageFrame {
  type: "storage";
  writable: boolean;
}

/** Some model began or ceased to answer. */
export interface ModelsFrame {
  type: "models";
}

export interface ConversationFrame {
  type: "conversation";
  conversation: Conversation;
  deleted?: boolean;
}

export interface ConversationSettingsFrame {
  type: "conversation_settings";
  conversation: string;
  conversation_settings: ConversationSettings;
}

export interface FoldersFrame {
  type: "folders";
  folders: Folder[];
}

export type ReplyFrame = QueuedFrame | TokenFrame | DoneFrame | CallFrame | MessageFrame;
export type ServerFrame =
  | HelloFrame | AckFrame | MessageFrame | RemovedFrame | EmptiedFrame | MissedFrame | QueuedFrame | TokenFrame
  | DoneFrame | CallFrame | ErrorFrame | StorageFrame | ModelsFrame | ConversationFrame | ConversationSettingsFrame | FoldersFrame;
export type FrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;
