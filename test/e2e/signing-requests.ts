import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "@countersign/errors";
import type { Key, Signature } from "@countersign/sdk";
import { verifiesEd25519 } from "./foreign-verifiers.ts";
import type { RealNetwork } from "./real-network.ts";
import { until } from "./until.ts";

/** Enough that some sit in each place where a request can be. */
const HELD = 4;
const BACK_OFF_MS = 50;

/** How a request ended: with a signature that OpenSSL accepts, or with a typed error. */
export type Outcome = { readonly signature: Signature } | { readonly error: CountersignError };

/** Creates an Ed25519 key through the API. */
export function newKey({ client }: RealNetwork): Promise<Key> {
  return client.createKey({ scheme: "EdDSA", curve: "ed25519" });
}

/** The API's body for a message that nobody signed before. */
export function freshBody(externalId?: string) {
  const message = `0x${randomBytes(16).toString("hex")}`;
  return { kind: "Message", message, ...(externalId === undefined ? {} : { externalId }) };
}

/** Signs a message through the API, by default a fresh one, and verifies the signature with OpenSSL. */
export async function sign({ client }: RealNetwork, key: Key, body = freshBody()): Promise<Signature> {
  const answer = await client.sign(key.id, body);
  assert.equal(answer.status, "Signed");
  assert.ok(answer.signature !== undefined, "a signed request has its signature");
  const bytes = Buffer.from(answer.signature.r.slice(2) + answer.signature.s.slice(2), "hex");
  const message = Buffer.from(body.message.slice(2), "hex");
  assert.ok(verifiesEd25519(Buffer.from(key.publicKey, "hex"), message, bytes), "OpenSSL accepts the signature");
  return answer;
}

/**
 * Signs like `sign` and tells how that ended. Fails on an error that is not typed, and on one that says that somebody waited in
 * vain for as long as the client allows: every request ends on the server's word before that.
 */
export async function trySign(network: RealNetwork, key: Key, body = freshBody()): Promise<Outcome> {
  try {
    return { signature: await sign(network, key, body) };
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    assert.notEqual(error.code, "api_deadline", "a request hung until its client gave up");
    return { error };
  }
}

/**
 * Requests that are being signed and cannot be finished: two of three signers are paused. Resolves once the API has begun them
 * all; resume the signers to let them end. Their externalIds are `name` and a number.
 */
export async function holdRequests(network: RealNetwork, key: Key, name: string) {
  await network.pause("node-1");
  await network.pause("node-3");
  const bodies = Array.from({ length: HELD }, (_, place) => freshBody(`${name} ${place + 1}`));
  const outcomes = Promise.all(bodies.map((body) => trySign(network, key, body)));
  // Raised where somebody awaits it; the wait below may fail first.
  outcomes.catch(() => {});
  await until("the API has begun the requests", async () => {
    const { items } = await network.client.signatures(key.id);
    return items.filter(({ status }) => status === "Executing").length === HELD;
  });
  return { bodies, outcomes };
}

/** Requests that come until they are disposed of: `lanes` at a time, each lane starts its next when the one before ended. */
export class SteadyRequests implements AsyncDisposable {
  readonly #outcomes: Outcome[] = [];
  readonly #lanes: Promise<void>[];
  #isOver = false;

  constructor(network: RealNetwork, key: Key, { lanes }: { readonly lanes: number }) {
    this.#lanes = Array.from({ length: lanes }, async () => {
      while (!this.#isOver) {
        const outcome = await trySign(network, key);
        this.#outcomes.push(outcome);
        // A client that is refused at once comes back in a moment, or it would starve the service that it waits for.
        if ("error" in outcome) await delay(BACK_OFF_MS);
      }
    });
    // Raised where `end` awaits them; until then a lane that fails is only quiet.
    for (const lane of this.#lanes) lane.catch(() => {});
  }

  /** Requests that were signed so far. */
  get signed(): number {
    return this.#outcomes.filter((outcome) => "signature" in outcome).length;
  }

  /** Requests that ended in an error so far. */
  get failed(): number {
    return this.#outcomes.length - this.signed;
  }

  /** Starts no more; resolves with how all ended once the last one has. */
  async end(): Promise<readonly Outcome[]> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
    return this.#outcomes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    // A lane that failed was raised by `end`, unless the test failed before: then that says more.
    await Promise.allSettled(this.#lanes);
  }
}

/** Codes of the errors among outcomes, each once. */
export function codesOf(outcomes: readonly Outcome[]): string[] {
  return [...new Set(outcomes.flatMap((outcome) => ("error" in outcome ? [outcome.error.code] : [])))].toSorted();
}
