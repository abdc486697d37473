import { decodePrefixedHex, JsonMembers, type JsonValue } from "@countersign/bytes";
import { intentError } from "./errors.ts";
import type { HashBody, MessageBody, SignatureBody } from "./intent.ts";
import { payloadInvalid } from "./payload.ts";

/** Larger than a transaction of any chain; two passes of hashing over it stay under a millisecond. */
export const MESSAGE_BYTES_MAX = 65_536;
/** As long as any id of the API. */
const EXTERNAL_ID_LENGTH_MAX = 64;
const HASH_BYTES = 32;

const KINDS_SUPPORTED = ["Hash", "Message"] as const;
/** Kinds of the reference that need a chain's own encoding. */
const KINDS_NOT_SUPPORTED = [
  "Eip191",
  "Eip712",
  "Eip7702",
  "Transaction",
  "Psbt",
  "Bip322",
  "SignDocDirect",
  "SignerPayload",
  "Snip12",
  "Cip8",
  "DfnsSmartAccountTransaction",
  "StellarFeeBumpTransaction",
];

/** Members by which the reference chooses a chain's interpretation. */
const INTERPRETATIONS = ["network", "blockchainKind"] as const;

/** Reads a SignatureBody of the reference (section 3.3) strictly; codes as in `intentOf`. */
export function readSignatureBody(body: JsonValue): SignatureBody {
  const members = new JsonMembers(body, "payload", payloadInvalid);
  const kind = members.text("kind", { lengthMax: 32 });
  switch (kind) {
    case "Hash":
      return hashBody(members);
    case "Message":
      return messageBody(members);
    default:
      throw kindRefused(kind);
  }
}

function hashBody(members: JsonMembers): HashBody {
  const hash = prefixedHex(members, "hash", HASH_BYTES, HASH_BYTES);
  const taprootMerkleRoot = members.has("taprootMerkleRoot") ? merkleRoot(members) : undefined;
  const network = members.optionalText("network", { lengthMax: 64, pattern: /^[A-Za-z0-9]+$/ });
  const blockchainKind = members.optionalText("blockchainKind", { lengthMax: 32, pattern: /^[A-Z][A-Za-z]+$/ });
  const externalId = readExternalId(members);
  members.finish();
  return {
    kind: "Hash",
    hash,
    ...(taprootMerkleRoot === undefined ? {} : { taprootMerkleRoot }),
    ...(externalId === undefined ? {} : { externalId }),
    ...(network === undefined ? {} : { network }),
    ...(blockchainKind === undefined ? {} : { blockchainKind }),
  };
}

function messageBody(members: JsonMembers): MessageBody {
  for (const option of INTERPRETATIONS) {
    // These select a chain's message format; signing the raw bytes instead would sign something else than was asked.
    if (members.has(option))
      throw intentError(
        "option_not_supported",
        `A Message is signed as raw bytes; ${option} is not supported for it.`,
        {
          details: { option },
        },
      );
  }
  const message = prefixedHex(members, "message", 0, MESSAGE_BYTES_MAX);
  const externalId = readExternalId(members);
  members.finish();
  return { kind: "Message", message, ...(externalId === undefined ? {} : { externalId }) };
}

function readExternalId(members: JsonMembers): string | undefined {
  return members.optionalText("externalId", { lengthMin: 1, lengthMax: EXTERNAL_ID_LENGTH_MAX });
}

/** The reference writes the empty root as an empty string, without `0x`. */
function merkleRoot(members: JsonMembers): Uint8Array {
  if (members.value("taprootMerkleRoot") === "") return new Uint8Array(0);
  return prefixedHex(members, "taprootMerkleRoot", HASH_BYTES, HASH_BYTES);
}

/** One byte string has one spelling: `0x`, then lower case. */
function prefixedHex(members: JsonMembers, name: string, bytesMin: number, bytesMax: number): Uint8Array {
  const text = members.text(name, { lengthMin: 2, lengthMax: 2 + 2 * bytesMax });
  const bytes = decodePrefixedHex(text, `payload.${name}`);
  if (bytes.length < bytesMin) throw payloadInvalid(`payload.${name} has ${bytes.length} bytes, not ${bytesMin}.`);
  return bytes;
}

function kindRefused(kind: string) {
  if (!KINDS_NOT_SUPPORTED.includes(kind)) return payloadInvalid("payload.kind is no signature kind of the API.");
  return intentError(
    "signature_kind_not_supported",
    `Signature kind ${kind} is not supported; supported are ${KINDS_SUPPORTED.join(" and ")}.`,
    { details: { kind, supported: KINDS_SUPPORTED } },
  );
}
