import { decodeBase64url, decodeHex, decodeUtf8, JsonMembers, sha256 } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import { CredentialKey } from "./credential-key.ts";
import { isPrimeOrderPoint } from "./ed25519-point.ts";
import { authorityError } from "./errors.ts";
import { natsUserKey } from "./nats-key.ts";

/** What everybody of a deployment pins: its nodes, operators and first organisation. */
export interface Descriptor {
  readonly version: 1;
  readonly deploymentId: string;
  /** t, 2..n. */
  readonly threshold: number;
  /** n of them, 2..32, ascending by index. */
  readonly nodes: readonly DescriptorNode[];
  /** One per node, in the nodes' order. */
  readonly operators: readonly DescriptorOperator[];
  readonly organisation: DescriptorOrganisation;
  /** SHA-256 of the file's bytes: both heads until the logs have entries. */
  readonly hash: Uint8Array;
}

/** A signer node. */
export interface DescriptorNode {
  /** Party index, 1..n. */
  readonly index: number;
  readonly id: string;
  readonly region: string;
  /** Ed25519 key that signs the node's messages, 32 bytes, of prime order. */
  readonly identityKey: Uint8Array;
  /** Public nkey of the node's NATS user. */
  readonly natsKey: string;
}

/** A person who runs a node. */
export interface DescriptorOperator {
  readonly nodeId: string;
  /** Ed25519, 32 bytes, of prime order. */
  readonly publicKey: Uint8Array;
}

/** The organisation that exists from the start, administered by a service account with this credential. */
export interface DescriptorOrganisation {
  readonly name: string;
  readonly credentialKey: CredentialKey;
}

/** A network of 32 nodes needs some 12 kB. */
const DESCRIPTOR_BYTES_MAX = 65_536;
/** Messages of a round grow with the square of the parties; beyond this nothing was measured. */
const NODES_MAX = 32;
/** One token of a NATS subject, one segment of a certificate's URI, one folder name: no dot, wildcard, slash or space. */
const NAME = { lengthMin: 1, lengthMax: 63, pattern: /^[a-z0-9][a-z0-9-]*$/ };
/** The reference's bound of names for people. */
const ORGANISATION_NAME_LENGTH_MAX = 100;
/** A P-256 key needs 122 characters. */
const CREDENTIAL_KEY_LENGTH_MAX = 1_024;

/** SHA-256 of a descriptor file's bytes. */
export function descriptorHash(file: Uint8Array): Uint8Array {
  return sha256(file);
}

/**
 * Reads a deployment descriptor file strictly. Raises `descriptor_invalid`, `public_key_invalid` for the credential key, and
 * `encoding_invalid` for text that is not strict UTF-8, JSON, hex or base64url.
 */
export function parseDescriptor(file: Uint8Array): Descriptor {
  if (file.length > DESCRIPTOR_BYTES_MAX) throw invalid(`The descriptor has more than ${DESCRIPTOR_BYTES_MAX} bytes.`);
  const members = JsonMembers.parse(decodeUtf8(file, "descriptor"), "descriptor", invalid);
  members.integer("version", 1, 1);
  const deploymentId = members.text("deploymentId", NAME);
  const nodes = members.list("nodes", 2, NODES_MAX).map((value, place) => node(value, place));
  const threshold = members.integer("threshold", 2, nodes.length);
  const operators = members.list("operators", nodes.length, nodes.length).map((value, place) => {
    return operator(value, place, nodes[place]);
  });
  const organisation = readOrganisation(members.object("organisation"));
  members.finish();
  requireDistinct(nodes, operators, organisation);
  return { version: 1, deploymentId, threshold, nodes, operators, organisation, hash: descriptorHash(file) };
}

function invalid(sentence: string): CountersignError {
  return authorityError("descriptor_invalid", sentence);
}

type ListElement = ConstructorParameters<typeof JsonMembers>[0];

function node(value: ListElement, place: number): DescriptorNode {
  const field = `descriptor.nodes[${place}]`;
  const members = new JsonMembers(value, field, invalid);
  // Indexes are the parties' x-coordinates: 1..n in order leaves no room for 0, a duplicate or a gap.
  const index = members.integer("index", place + 1, place + 1);
  const id = members.text("id", NAME);
  const region = members.text("region", NAME);
  const identityKey = primeOrderKey(members, "identityKey", field);
  const natsKey = members.text("natsKey", { lengthMax: 56 });
  members.finish();
  if (!isPrimeOrderPoint(natsUserKey(natsKey) ?? new Uint8Array(0)))
    throw invalid(`${field}.natsKey is not the public nkey of a NATS user.`);
  return { index, id, region, identityKey, natsKey };
}

function operator(value: ListElement, place: number, ofNode: DescriptorNode | undefined): DescriptorOperator {
  const field = `descriptor.operators[${place}]`;
  const members = new JsonMembers(value, field, invalid);
  const nodeId = members.text("nodeId", NAME);
  const publicKey = primeOrderKey(members, "publicKey", field);
  members.finish();
  if (nodeId !== ofNode?.id) throw invalid(`${field}.nodeId is not the id of the node at the same place.`);
  return { nodeId, publicKey };
}

function readOrganisation(members: JsonMembers): DescriptorOrganisation {
  const name = members.text("name", { lengthMin: 1, lengthMax: ORGANISATION_NAME_LENGTH_MAX });
  const text = members.text("credentialKey", { lengthMax: CREDENTIAL_KEY_LENGTH_MAX });
  members.finish();
  return { name, credentialKey: new CredentialKey(decodeBase64url(text, "descriptor.organisation.credentialKey")) };
}

function primeOrderKey(members: JsonMembers, name: string, field: string): Uint8Array {
  const key = decodeHex(members.text(name, { lengthMax: 64 }), `${field}.${name}`);
  if (!isPrimeOrderPoint(key)) throw invalid(`${field}.${name} is not a canonical Ed25519 key of prime order.`);
  return key;
}

/** `attemptsMax` of architecture 2, step 8: part of the security argument, counted durably per C and signer. */
export function attemptsMax({ nodes, threshold }: Pick<Descriptor, "nodes" | "threshold">): number {
  return Math.max(3, nodes.length - threshold + 1);
}

/**
 * A name or key used twice would let one holder act as two. Keys of all roles count together: a NATS client signs whatever nonce
 * a server it does not trust sends, so a node's nkey that is also an identity, an operator's key or the credential would let a
 * hostile bus collect that other role's signatures.
 */
function requireDistinct(
  nodes: readonly DescriptorNode[],
  operators: readonly DescriptorOperator[],
  { credentialKey }: DescriptorOrganisation,
): void {
  const ids = nodes.map(({ id }) => id);
  const keys = [
    ...nodes.flatMap(({ identityKey, natsKey }) => [identityKey, natsUserKey(natsKey) ?? []]),
    ...operators.map(({ publicKey }) => publicKey),
    credentialKey.ed25519 ?? [],
  ];
  const texts = keys.filter(({ length }) => length > 0).map((key) => Buffer.from(key).toString("hex"));
  if (new Set(ids).size !== ids.length) throw invalid("Two nodes of the descriptor have the same id.");
  if (new Set(texts).size !== texts.length)
    throw invalid(
      "Two of the descriptor's keys are the same: identity, NATS and operator keys and the credential's are one each.",
    );
}
