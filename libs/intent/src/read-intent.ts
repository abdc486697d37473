import { JsonMembers, type JsonValue, parseJson } from "@countersign/bytes";
import { deriveId } from "./derive-id.ts";
import { intentError } from "./errors.ts";
import { type CreateKey, type Intent, KEY_SCHEMES } from "./intent.ts";
import { payloadInvalid } from "./payload.ts";
import { readSignatureBody } from "./signature-body.ts";

/** An approved request. */
export interface ApprovedRequest {
  /** Upper case. */
  readonly method: string;
  /** As signed, percent-encoding untouched, with or without a query. */
  readonly path: string;
  /** The body as parsed by `parsePayload`. */
  readonly body: JsonValue;
  /** C, 32 bytes. */
  readonly c: Uint8Array;
}

/** Longer than any path of the API with its query. */
const PATH_LENGTH_MAX = 2_048;
/**
 * Values of a payload, objects and arrays included; what can be approved has a dozen. A payload is parsed before its signature is
 * verified, so this bounds what a stranger's bytes cost: 10,000 members take longer than a signer's loop may stand still.
 */
const PAYLOAD_VALUES_MAX = 1_000;
/** The reference's bound of a key's name. */
const NAME_LENGTH_MAX = 100;
/** RFC 3986, section 3.4. No parameter of an approvable operation has an effect, so none is read. */
const QUERY = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*$/;
const SIGNATURES = /^\/keys\/(key-[a-z2-7]{5}-[a-z2-7]{5}-[a-z2-7]{16})\/signatures$/;
/** Options of the reference that would change who holds or derives the key. Ignoring one would sign away what was asked. */
const KEY_OPTIONS_NOT_SUPPORTED = ["masterKey", "deriveFrom", "storeId", "delegateTo", "delayDelegation"];

/** Parses a payload strictly; raises `encoding_invalid`, also for more than `PAYLOAD_VALUES_MAX` values. */
export function parsePayload(payload: string): JsonValue {
  return parseJson(payload, "payload", { valuesMax: PAYLOAD_VALUES_MAX });
}

/**
 * What a request means: a pure function of the signed bytes and C. The path is matched literally; nothing is decoded, so
 * `..`, `//`, `%2e`, a trailing `/` or other case match nothing. Raises `operation_unknown`, `payload_invalid`,
 * `scheme_not_supported`, `option_not_supported`, `signature_kind_not_supported`.
 */
export function intentOf({ method, path, body, c }: ApprovedRequest): Intent {
  const pathname = withoutQuery(path);
  if (method === "POST" && pathname === "/keys") return createKey(body, c);
  const [, keyId] = SIGNATURES.exec(pathname) ?? [];
  if (method === "POST" && keyId !== undefined)
    return { kind: "sign", keyId, signatureId: deriveId("signature", c, 0), body: readSignatureBody(body) };
  throw operationUnknown();
}

/** `intentOf` for a payload that is still text; also raises `encoding_invalid`. */
export function readIntent(request: { method: string; path: string; payload: string; c: Uint8Array }): Intent {
  const { method, path, payload, c } = request;
  return intentOf({ method, path, body: parsePayload(payload), c });
}

function withoutQuery(path: string): string {
  if (path.length > PATH_LENGTH_MAX) throw operationUnknown();
  const mark = path.indexOf("?");
  if (mark === -1) return path;
  if (!QUERY.test(path.slice(mark + 1))) throw operationUnknown();
  return path.slice(0, mark);
}

function operationUnknown() {
  return intentError(
    "operation_unknown",
    "Method and path are no operation that can be approved; known are POST /keys and POST /keys/{keyId}/signatures.",
  );
}

function createKey(body: JsonValue, c: Uint8Array): CreateKey {
  const members = new JsonMembers(body, "payload", payloadInvalid);
  for (const option of KEY_OPTIONS_NOT_SUPPORTED) {
    if (members.has(option))
      throw intentError("option_not_supported", `Keys are created without ${option} here.`, { details: { option } });
  }
  const scheme = members.text("scheme", { lengthMax: 32 });
  const curve = members.text("curve", { lengthMax: 32 });
  const name = members.optionalText("name", { lengthMax: NAME_LENGTH_MAX });
  members.finish();
  const keyScheme = KEY_SCHEMES.find((pair) => pair.scheme === scheme && pair.curve === curve);
  if (keyScheme === undefined) throw schemeNotSupported();
  const keyId = deriveId("key", c, 0);
  return { kind: "create-key", keyId, ...keyScheme, purpose: "wallet", ...(name === undefined ? {} : { name }) };
}

function schemeNotSupported() {
  const supported = KEY_SCHEMES.map(({ scheme, curve }) => `${scheme}/${curve}`);
  return intentError("scheme_not_supported", `Keys are created for ${supported.join(" and ")}.`, {
    details: { supported },
  });
}
