import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { type ActionFields, actionDigest, type Evidence, VALIDITY_MS_MAX } from "@countersign/authority";
import { base64url, lengthPrefixed, sha256, u64be, utf8 } from "@countersign/bytes";
import { approve, KeySigner } from "@countersign/sdk";
import type { CertifiedKey } from "@countersign/wire";
import type { Insider } from "./insider.ts";

/** Evidence that no signer may act on, what is wrong with it, and the code that says so. */
export interface Forgery {
  readonly what: string;
  readonly code: string;
  readonly evidence: Evidence;
}

/** How far beyond the longest validity: more than the time any call here takes. */
const TOO_FAR_MS = 60_000;
const HASH = `0x${"01".repeat(32)}`;

type Case = readonly [what: string, code: string, evidence: Evidence | Promise<Evidence>];

/** Every way to be wrong that threat model 5.3 has a check for. `creation` is the approval of a key. */
export async function forgeries(
  insider: Insider,
  keys: { readonly key: CertifiedKey; readonly other: CertifiedKey; readonly creation: Evidence },
): Promise<Forgery[]> {
  const good = await insider.approveHash(keys.key, 1);
  const cases = [
    ...(await approvedByOthers(insider, good)),
    ...approvedForOthers(insider, keys.key, good),
    ...approvedAnotherTime(insider, keys.key, good),
    ...approvedSomethingElse(insider, keys, good),
    ...signedOtherwise(insider, good),
    ...oversized(good),
  ];
  return Promise.all(cases.map(async ([what, code, evidence]) => ({ what, code, evidence: await evidence })));
}

function approvedByOthers({ network }: Insider, good: Evidence): Case[] {
  const privateKey = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const stranger = new KeySigner({ privateKey });
  const disguised = new KeySigner({ privateKey, credId: network.ids.credId });
  const fields = { ...good, deploymentId: network.descriptor.deploymentId };
  const { signature } = good.assertion;
  return [
    ["a stranger's key under the pinned credential's id", "assertion_invalid", approve(fields, disguised)],
    ["a credential that nobody pinned", "credential_unknown", approve(fields, stranger)],
    ["no signature", "assertion_invalid", asserting(good, { signature: new Uint8Array(0) })],
    ["a signature of zeros", "assertion_invalid", asserting(good, { signature: new Uint8Array(64) })],
    ["a signature with a byte more", "assertion_invalid", asserting(good, { signature: joined(signature, [0]) })],
    ["a credential of another kind", "credential_kind_mismatch", asserting(good, { kind: "Fido2" })],
    ["a credential of no kind", "evidence_malformed", asserting(good, { kind: "" })],
    ["another credential's id", "credential_unknown", asserting(good, { credId: base64url(randomBytes(32)) })],
  ];
}

function approvedForOthers(insider: Insider, key: CertifiedKey, good: Evidence): Case[] {
  const other = { orgId: someId("or"), appId: someId("ap"), principalId: someId("us") };
  const approved = (changes: Partial<ActionFields>) => insider.approveHash(key, 1, changes);
  const presented = async (changes: Partial<ActionFields>) => {
    const { orgId, appId, principalId } = good;
    return { ...(await approved(changes)), orgId, appId, principalId };
  };
  return [
    ["for another deployment", "challenge_mismatch", approved({ deploymentId: "dep-other" })],
    ["for another organisation", "organisation_unknown", approved({ orgId: other.orgId })],
    ["for another organisation, shown as ours", "challenge_mismatch", presented({ orgId: other.orgId })],
    ["for another application", "application_unknown", approved({ appId: other.appId })],
    ["for another application, shown as ours", "challenge_mismatch", presented({ appId: other.appId })],
    ["by another principal", "principal_unknown", approved({ principalId: other.principalId })],
    ["by another principal, shown as ours", "challenge_mismatch", presented({ principalId: other.principalId })],
  ];
}

function approvedAnotherTime(insider: Insider, key: CertifiedKey, good: Evidence): Case[] {
  const ending = (expiresAtMs: number) => insider.approveHash(key, 1, { expiresAtMs });
  return [
    ["expired", "approval_expired", ending(Date.now() - 1)],
    ["expired long ago", "approval_expired", ending(0)],
    ["valid too far ahead", "approval_expiry_too_far", ending(Date.now() + VALIDITY_MS_MAX + TOO_FAR_MS)],
    ["valid for ever", "approval_expiry_too_far", ending(Number.MAX_SAFE_INTEGER)],
    ["lengthened", "challenge_mismatch", { ...good, expiresAtMs: good.expiresAtMs + 1 }],
    ["with another nonce", "challenge_mismatch", { ...good, nonce: new Uint8Array(randomBytes(32)) }],
    ["with a short nonce", "evidence_malformed", { ...good, nonce: good.nonce.slice(1) }],
  ];
}

function approvedSomethingElse(
  insider: Insider,
  { key, other, creation }: { key: CertifiedKey; other: CertifiedKey; creation: Evidence },
  good: Evidence,
): Case[] {
  const { keyId } = key.package;
  const approved = (changes: Partial<ActionFields>) => insider.approveHash(key, 1, changes);
  const path = (to: string) => approved({ path: to });
  const body = (payload: string) => approved({ payload });
  const put = async () => ({ ...(await approved({ method: "PUT" })), method: "POST" });
  return [
    ["for another key", "challenge_mismatch", { ...good, path: `/keys/${other.package.keyId}/signatures` }],
    ["for a key that does not exist", "share_not_here", path(`/keys/${someId("key")}/signatures`)],
    ["with another method", "operation_unknown", approved({ method: "PUT" })],
    ["with another method, shown as POST", "challenge_mismatch", put()],
    ["with a method in lower case", "evidence_malformed", approved({ method: "post" })],
    ["on a path with a detour", "operation_unknown", path(`/keys/x/../${keyId}/signatures`)],
    ["on a path with an escape", "operation_unknown", path(`/%6beys/${keyId}/signatures`)],
    ["on a path with two slashes", "operation_unknown", path(`//keys/${keyId}/signatures`)],
    ["on a path with a slash at its end", "operation_unknown", path(`/keys/${keyId}/signatures/`)],
    ["on a path in upper case", "operation_unknown", path(`/KEYS/${keyId}/signatures`)],
    ["on no path", "evidence_malformed", path("")],
    ["of another body", "challenge_mismatch", { ...good, payload: good.payload.replace("01", "02") }],
    ["of the same body spelt otherwise", "challenge_mismatch", { ...good, payload: good.payload.replace(":", ": ") }],
    ["of a body with a duplicate key", "encoding_invalid", body(`{"kind":"Hash","hash":"${HASH}","hash":"${HASH}"}`)],
    ["of a body with bytes after it", "encoding_invalid", body(`${good.payload}0`)],
    ["of two bodies", "encoding_invalid", body(`${good.payload}\n${good.payload}`)],
    ["of no body", "encoding_invalid", body("")],
    ["of a list", "payload_invalid", body("[]")],
    ["of a body with an unknown member", "payload_invalid", body(`{"kind":"Hash","hash":"${HASH}","x":1}`)],
    ["of a number beyond 2^53", "encoding_invalid", body(`{"kind":"Hash","hash":"${HASH}","x":9007199254740993}`)],
    ["of hex in upper case", "encoding_invalid", body(`{"kind":"Hash","hash":"0x${"AA".repeat(32)}"}`)],
    ["of a short hash", "payload_invalid", body('{"kind":"Hash","hash":"0x01"}')],
    [
      "of a kind that no signer reads",
      "signature_kind_not_supported",
      body('{"kind":"Transaction","transaction":"0x"}'),
    ],
    ["of another scheme's option", "key_unfit", body(`{"kind":"Hash","hash":"${HASH}","taprootMerkleRoot":""}`)],
    ["of a new key", "intent_mismatch", creation],
  ];
}

function signedOtherwise(insider: Insider, good: Evidence): Case[] {
  const { deploymentId } = insider.network.descriptor;
  const { orgId, principalId, appId, nonce, expiresAtMs } = good;
  const challenge = base64url(actionDigest({ ...good, deploymentId }));
  const login = lengthPrefixed("countersign/login/v1", deploymentId, orgId, principalId, appId, "", nonce);
  const privateKey = createPrivateKey(readFileSync(insider.network.summary.admin.privateKeyFile));
  const signed = (clientData: Uint8Array) =>
    asserting(good, { clientData, signature: new Uint8Array(sign(null, clientData, privateKey)) });
  const text = (clientData: string) => signed(utf8(clientData));
  const client = (members: object) => text(JSON.stringify({ type: "key.get", challenge, ...members }));
  const later = utf8(JSON.stringify({ type: "key.get", challenge, later: true }));
  return [
    ["as a passkey would", "ceremony_unexpected", client({ type: "webauthn.get" })],
    ["as a registration", "ceremony_unexpected", client({ type: "key.create" })],
    ["as a login", "challenge_mismatch", client({ challenge: base64url(sha256(joined(login, u64be(expiresAtMs)))) })],
    ["with the challenge encoded twice", "challenge_mismatch", client({ challenge: base64url(utf8(challenge)) })],
    ["with a padded challenge", "challenge_mismatch", client({ challenge: `${challenge}=` })],
    ["without a challenge", "client_data_malformed", client({ challenge: undefined })],
    ["in a foreign frame", "origin_unexpected", client({ origin: "https://a.example", crossOrigin: true })],
    ["in a frame that is no boolean", "client_data_malformed", client({ crossOrigin: "false" })],
    ["at an origin that is no text", "client_data_malformed", client({ origin: 1 })],
    ["with two challenges", "encoding_invalid", text(`{"type":"key.get","challenge":"x","challenge":"${challenge}"}`)],
    ["with bytes after clientData", "encoding_invalid", text(`{"type":"key.get","challenge":"${challenge}"}}`)],
    ["over what is no UTF-8", "encoding_invalid", signed(Uint8Array.of(0x7b, 0xff, 0x7d))],
    ["over what is no object", "client_data_malformed", text('"key.get"')],
    ["with clientData changed afterwards", "assertion_invalid", asserting(good, { clientData: later })],
  ];
}

function oversized(good: Evidence): Case[] {
  return [
    ["with a body beyond all bounds", "evidence_malformed", { ...good, payload: "x".repeat(262_145) }],
    ["with a path beyond all bounds", "evidence_malformed", { ...good, path: `/${"x".repeat(2_048)}` }],
    ["with clientData beyond all bounds", "evidence_malformed", asserting(good, { clientData: new Uint8Array(4_097) })],
    ["with a signature beyond all bounds", "evidence_malformed", asserting(good, { signature: new Uint8Array(513) })],
  ];
}

/** One change of one bit, in a text also of a character. */
export interface Flip {
  readonly field: string;
  readonly evidence: Evidence;
}

/** The evidence with one bit changed, once per byte of every field; which bit goes round. */
export function flips(good: Evidence): Flip[] {
  const { orgId, principalId, appId, method, path, payload, nonce, expiresAtMs, assertion } = good;
  const texts = { orgId, principalId, appId, method, path, payload };
  const { kind, credId, clientData, signature } = assertion;
  return [
    ...Object.entries(texts).flatMap(([field, text]) =>
      flippedTexts(text).map((changed) => ({ field, evidence: { ...good, [field]: changed } })),
    ),
    ...flippedBytes(nonce).map((changed) => ({ field: "nonce", evidence: { ...good, nonce: changed } })),
    // Within the bits that a time of this century and the bound of its field leave.
    ...Array.from({ length: 53 }, (_, bit) => {
      const changed = Number(BigInt(expiresAtMs) ^ (1n << BigInt(bit)));
      return { field: "expiresAtMs", evidence: { ...good, expiresAtMs: changed } };
    }),
    ...flippedTexts(kind).map((changed) => ({ field: "kind", evidence: asserting(good, { kind: changed }) })),
    ...flippedTexts(credId).map((changed) => ({ field: "credId", evidence: asserting(good, { credId: changed }) })),
    ...flippedBytes(clientData).map((changed) => ({
      field: "clientData",
      evidence: asserting(good, { clientData: changed }),
    })),
    ...flippedBytes(signature).map((changed) => ({
      field: "signature",
      evidence: asserting(good, { signature: changed }),
    })),
  ];
}

function flippedBytes(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte, place) => bytes.with(place, byte ^ (1 << (place & 7))));
}

/** Seven bits a character: the result stays text that protobuf carries. */
function flippedTexts(text: string): string[] {
  return Array.from(text, (character, place) => {
    const changed = String.fromCharCode(character.charCodeAt(0) ^ (1 << (place % 7)));
    return text.slice(0, place) + changed + text.slice(place + 1);
  });
}

function asserting(evidence: Evidence, changes: Partial<Evidence["assertion"]>): Evidence {
  return { ...evidence, assertion: { ...evidence.assertion, ...changes } };
}

function joined(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}

/** An id of the right form that nothing has. */
function someId(prefix: string): string {
  return `${prefix}-aaaaa-aaaaa-aaaaaaaaaaaaaaaa`;
}
