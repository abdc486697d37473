import { create, toBinary } from "@bufbuild/protobuf";
import { lengthPrefixed } from "@countersign/bytes";
import { HeaderSchema } from "@countersign/proto/mesh";
import type { MessageFacts, SignedMessage } from "@countersign/threshold";
import { decodeStrict } from "./strict-message.ts";

const VERSION = 1;
/** Longest round name; names are short words of our own. */
const ROUND_LENGTH_MAX = 32;

/** Encodes what a message is and where it belongs. */
export function encodeHeader(facts: MessageFacts): Uint8Array {
  return toBinary(HeaderSchema, create(HeaderSchema, { version: VERSION, ...facts }));
}

/** Decodes a header; undefined unless it is the one encoding of acceptable facts. */
export function decodeHeader(bytes: Uint8Array): MessageFacts | undefined {
  const header = decodeStrict(HeaderSchema, bytes);
  if (header === undefined || header.version !== VERSION) return undefined;
  const { sessionId, sessionDigest, round, from, to } = header;
  if (sessionId.length !== 32 || sessionDigest.length !== 32 || from === 0) return undefined;
  if (round.length === 0 || round.length > ROUND_LENGTH_MAX) return undefined;
  return { sessionId, sessionDigest, round, from, to };
}

/** The statement a node signs for a protocol message (architecture 7). */
export function messageStatement(deploymentId: string, header: Uint8Array, body: Uint8Array): Uint8Array {
  return lengthPrefixed("countersign/envelope/v1", deploymentId, header, body);
}

/** Encodes and signs one protocol message. */
export function signMessage(
  identity: { sign(statement: Uint8Array): Uint8Array },
  deploymentId: string,
  facts: MessageFacts,
  body: Uint8Array,
): SignedMessage {
  const header = encodeHeader(facts);
  return { header, body, signature: identity.sign(messageStatement(deploymentId, header, body)) };
}
