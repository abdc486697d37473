import { create, toBinary } from "@bufbuild/protobuf";
import { lengthPrefixed } from "@countersign/bytes";
import { type Presence, PresenceSchema } from "@countersign/proto/mesh";
import { decodeStrict } from "../strict-message.ts";

/** Random bytes of a probe, given back by its echo. */
export const PROBE_BYTES = 8;
/** Longest presence message; a beat takes 170 bytes. */
const PRESENCE_BYTES_MAX = 256;

/** A node's load and the heads of its logs. */
export interface BeatContent {
  readonly sessions: number;
  /** 32 bytes. */
  readonly organisationHead: Uint8Array;
  /** 32 bytes. */
  readonly deploymentHead: Uint8Array;
}

/** What a presence message says. */
export type PresenceContent =
  | { readonly kind: "beat"; readonly beat: BeatContent }
  | { readonly kind: "probe" | "echo"; readonly random: Uint8Array };

/** A presence message as received; nothing in it is to be believed before `isSignedBy`. */
export interface OpenedPresence {
  readonly bootId: Uint8Array;
  readonly counter: bigint;
  readonly content: PresenceContent;
  readonly isUnsigned: boolean;
  /** Whether the signature is this identity's, for this deployment and this subject. */
  isSignedBy(identity: { verify(statement: Uint8Array, signature: Uint8Array): boolean }): boolean;
}

/** What a process needs to speak on presence subjects. */
export interface PresenceVoiceOptions {
  readonly deploymentId: string;
  /** 16 bytes. */
  readonly bootId: Uint8Array;
  /** Default: unsigned, as watchers speak. */
  readonly identity?: { sign(statement: Uint8Array): Uint8Array };
  readonly publish: (subject: string, bytes: Uint8Array) => void;
}

/** Says things about this process on presence subjects: every message has a higher counter than the one before. */
export class PresenceVoice {
  readonly #options: PresenceVoiceOptions;
  #counter = 0n;

  constructor(options: PresenceVoiceOptions) {
    this.#options = options;
  }

  say(subject: string, content: PresenceContent): void {
    const { deploymentId, bootId, identity, publish } = this.#options;
    const message = create(PresenceSchema, { bootId, counter: ++this.#counter, kind: kindOf(content) });
    if (identity !== undefined) message.signature = identity.sign(presenceStatement(deploymentId, subject, message));
    publish(subject, toBinary(PresenceSchema, message));
  }
}

/** Decodes a presence message; undefined unless it is canonical and every field has its length. */
export function openPresence(deploymentId: string, subject: string, bytes: Uint8Array): OpenedPresence | undefined {
  const message = bytes.length <= PRESENCE_BYTES_MAX ? decodeStrict(PresenceSchema, bytes) : undefined;
  const content = message === undefined ? undefined : contentOf(message.kind);
  if (message === undefined || content === undefined || message.bootId.length !== 16) return undefined;
  const { bootId, counter, signature } = message;
  return {
    bootId,
    counter,
    content,
    isUnsigned: signature.length === 0,
    isSignedBy: (identity) => identity.verify(presenceStatement(deploymentId, subject, message), signature),
  };
}

/** Binds the subject, so that what one node heard cannot be shown to another. */
function presenceStatement(deploymentId: string, subject: string, message: Presence): Uint8Array {
  const unsigned = toBinary(PresenceSchema, create(PresenceSchema, { ...message, signature: new Uint8Array(0) }));
  return lengthPrefixed("countersign/presence/v1", deploymentId, subject, unsigned);
}

function kindOf(content: PresenceContent) {
  return content.kind === "beat"
    ? ({ case: "beat", value: content.beat } as const)
    : ({ case: content.kind, value: content.random } as const);
}

function contentOf(kind: Presence["kind"]): PresenceContent | undefined {
  switch (kind.case) {
    case "beat": {
      const { sessions, organisationHead, deploymentHead } = kind.value;
      if (organisationHead.length !== 32 || deploymentHead.length !== 32) return undefined;
      return { kind: "beat", beat: { sessions, organisationHead, deploymentHead } };
    }
    case "probe":
    case "echo":
      return kind.value.length === PROBE_BYTES ? { kind: kind.case, random: kind.value } : undefined;
    default:
      return undefined;
  }
}
