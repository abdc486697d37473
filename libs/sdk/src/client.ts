import { type Descriptor, parseDescriptor } from "@countersign/authority";
import { base64url, type JsonValue } from "@countersign/bytes";
import { deriveId } from "@countersign/intent";
import { type Key, type Page, readKey, readPage, readSignature, type Signature } from "./answers.ts";
import { answerInvalid, answerText, call } from "./call.ts";
import { type Pins, verifyChallenge } from "./challenge.ts";
import { sdkError } from "./errors.ts";
import { verifyKeyCertificate } from "./key-certificate.ts";
import type { ActionSigner } from "./key-signer.ts";

/** In place of a descriptor: the caller takes public keys from the API's word, and checks them elsewhere or pays nothing there. */
export const TRUST_API = "trust-api";

/** How a client reaches the API and whom it acts for. Pin the ids: what is not pinned is taken from the API's word. */
export interface ClientOptions extends Pins {
  /**
   * The deployment descriptor file's bytes, from the operators and not from the API. Every key is then checked against the nodes
   * it pins, and `deploymentId` is the one it names: to give another is an error.
   */
  readonly descriptor: Uint8Array | typeof TRUST_API;
  /** Root of the API, for example `http://127.0.0.1:3000`; a path in it is dropped. */
  readonly apiUrl: string;
  /** Bearer token. */
  readonly token: string;
  /** Approves requests that change something. */
  readonly signer: ActionSigner;
  /** Credential id, if another than the signer's own. */
  readonly credId?: string | undefined;
  /** Time for one method of this client, all of its HTTP calls together. Default 15 s; 65 s for creating a key. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds since 1970. Default: the system's clock. */
  readonly now?: (() => number) | undefined;
}

/** Options of one call. */
export interface CallOptions {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which part of a list. */
export interface PageQuery {
  readonly limit?: number | undefined;
  readonly paginationToken?: string | undefined;
}

/** The API gives a signature 10 s; an approval takes two round trips more. */
const TIMEOUT_MS = 15_000;
/** The API gives key generation 60 s. */
const CREATE_KEY_TIMEOUT_MS = 65_000;

/**
 * Client of a Countersign API. Before the private key is used it recomputes the challenge from the request it is about to
 * send, and throws `challenge_refused` when they differ: the API is not trusted with what is approved. Nor with public keys:
 * before one is answered its certificate is checked, and `key_certificate_refused` thrown when it is not of all pinned nodes.
 */
export class CountersignClient {
  readonly #options: ClientOptions;
  /** Absent when the caller trusts the API. */
  readonly #descriptor: Descriptor | undefined;

  /** Raises `deployment_unpinned`, `deployment_id_differs`, and `descriptor_invalid`, `public_key_invalid`, `encoding_invalid` for the descriptor. */
  constructor(options: ClientOptions) {
    this.#descriptor = pinnedDescriptor(options);
    this.#options = { ...options, deploymentId: pinnedDeploymentId(options, this.#descriptor) };
  }

  /**
   * Sends a request: GET as it is, anything else with a user action over exactly this method, path and body. Answers the
   * parsed JSON as it came: public keys in it are the API's word. Errors: those of `call`, and `challenge_refused`.
   */
  async request(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<JsonValue> {
    const signal = this.#signal(options, TIMEOUT_MS);
    if (method === "GET") return this.#call({ method, path, signal });
    return (await this.#approved(method, path, body, signal)).answer;
  }

  /** Creates a key; its id must be the one that the approval determines, its scheme and curve those approved. */
  async createKey(body: { scheme: string; curve: string; name?: string }, options: CallOptions = {}): Promise<Key> {
    const signal = this.#signal(options, CREATE_KEY_TIMEOUT_MS);
    const { answer, c } = await this.#approved("POST", "/keys", body, signal);
    const key = this.#readKey(answer);
    // Ids derive from C: an API that answers with another key's id would have its caller receive funds there.
    if (key.id !== deriveId("key", c, 0))
      throw answerInvalid(`The API answered key ${key.id}, which was not approved.`);
    if (key.scheme !== body.scheme || key.curve !== body.curve)
      throw answerInvalid(`The API answered a ${key.scheme} key on ${key.curve}, which was not approved.`);
    return key;
  }

  /** One key. */
  async key(keyId: string, options: CallOptions = {}): Promise<Key> {
    const key = this.#readKey(await this.request("GET", `/keys/${segment(keyId)}`, undefined, options));
    if (key.id !== keyId) throw answerInvalid(`The API answered key ${key.id} when asked for ${keyId}.`);
    return key;
  }

  /**
   * Keys, a page at a time. Of a listed key only the public key that belongs to its id is proven, by the descriptor; its name and
   * status, and which keys a list shows or leaves out, are the API's word.
   */
  async keys(query: PageQuery = {}, options: CallOptions = {}): Promise<Page<Key>> {
    return readPage(await this.request("GET", `/keys${search(query)}`, undefined, options), (item) =>
      this.#readKey(item),
    );
  }

  /** Signs with a key; `body` is a SignatureBody of the API (`Hash`, `Message`). */
  async sign(keyId: string, body: Readonly<Record<string, unknown>>, options: CallOptions = {}): Promise<Signature> {
    const answer = await this.request("POST", `/keys/${segment(keyId)}/signatures`, body, options);
    const signature = readSignature(answer);
    if (signature.keyId !== keyId) throw answerInvalid(`The API answered with a signature of key ${signature.keyId}.`);
    return signature;
  }

  /** Signatures of a key, a page at a time. */
  async signatures(keyId: string, query: PageQuery = {}, options: CallOptions = {}): Promise<Page<Signature>> {
    const path = `/keys/${segment(keyId)}/signatures${search(query)}`;
    return readPage(await this.request("GET", path, undefined, options), readSignature);
  }

  #readKey(answer: JsonValue): Key {
    const key = readKey(answer);
    if (this.#descriptor !== undefined) verifyKeyCertificate(key, this.#descriptor);
    return key;
  }

  async #approved(method: string, path: string, body: unknown, signal: AbortSignal) {
    const { signer, credId = signer.credId, now = Date.now } = this.#options;
    // One string for the challenge, for C and for the request: the same object may print differently twice.
    const payload = JSON.stringify(body ?? {});
    const init = {
      userActionPayload: payload,
      userActionHttpMethod: method,
      userActionHttpPath: path,
      userActionServerKind: "Api",
    };
    const asked = await this.#post("/auth/action/init", init, signal);
    // Before the key is touched: a signature over an unchecked challenge cannot be taken back.
    const { challenge, challengeIdentifier, c } = verifyChallenge(
      asked,
      { method, path, payload },
      this.#options,
      now(),
    );
    const { clientData, signature } = await signer.sign(challenge);
    const credentialAssertion = { credId, clientData: base64url(clientData), signature: base64url(signature) };
    const firstFactor = { kind: "Key", credentialAssertion };
    const approved = await this.#post("/auth/action", { challengeIdentifier, firstFactor }, signal);
    const userAction = answerText(approved, "userAction");
    return { answer: await this.#call({ method, path, payload, userAction, signal }), c };
  }

  #post(path: string, body: unknown, signal: AbortSignal): Promise<JsonValue> {
    return this.#call({ method: "POST", path, payload: JSON.stringify(body), signal });
  }

  #call(request: { method: string; path: string; payload?: string; userAction?: string; signal: AbortSignal }) {
    const { apiUrl, token } = this.#options;
    return call({ ...request, apiUrl, token });
  }

  #signal({ timeoutMs, signal }: CallOptions, fallbackMs: number): AbortSignal {
    const deadline = AbortSignal.timeout(timeoutMs ?? this.#options.timeoutMs ?? fallbackMs);
    return signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  }
}

function pinnedDescriptor({ descriptor }: Pick<Partial<ClientOptions>, "descriptor">): Descriptor | undefined {
  if (descriptor === TRUST_API) return undefined;
  // Callers without types can leave it out; a client that trusts by oversight is what this option is to prevent.
  if (!(descriptor instanceof Uint8Array))
    throw sdkError("deployment_unpinned", `Give the deployment descriptor's bytes, or say "${TRUST_API}".`);
  return parseDescriptor(descriptor);
}

function pinnedDeploymentId({ deploymentId }: ClientOptions, descriptor: Descriptor | undefined): string | undefined {
  if (descriptor === undefined || deploymentId === undefined) return deploymentId ?? descriptor?.deploymentId;
  // Approvals for one deployment and keys of another's nodes: whichever was meant, half of it would be unpinned.
  if (deploymentId !== descriptor.deploymentId)
    throw sdkError(
      "deployment_id_differs",
      "The deployment id given is not the one that the deployment descriptor names.",
    );
  return deploymentId;
}

function segment(id: string): string {
  return encodeURIComponent(id);
}

function search({ limit, paginationToken }: PageQuery): string {
  const query = new URLSearchParams();
  if (limit !== undefined) query.set("limit", String(limit));
  if (paginationToken !== undefined) query.set("paginationToken", paginationToken);
  return query.size === 0 ? "" : `?${query}`;
}
