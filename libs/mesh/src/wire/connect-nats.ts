import { setTimeout as pause } from "node:timers/promises";
import type { Secret } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import { fromSeed } from "@nats-io/nkeys";
import {
  connect,
  errors,
  type NatsConnection,
  type NodeConnectionOptions,
  nkeyAuthenticator,
} from "@nats-io/transport-node";
import { meshError } from "../errors.ts";
import { NatsWire } from "./nats-wire.ts";

/** Pause before a new try, and as much again by chance, so that nodes do not return all at once. */
const RECONNECT_PAUSE_MS = 250;
/** One try. */
const CONNECT_TIMEOUT_MS = 2_000;
/** A server that is silent for two of these is given up: recovery within the 5 s that drills allow. */
const PING_INTERVAL_MS = 2_000;
const LINE_FEED = 0x0a;

/** How to reach the bus, and as whom. */
export interface NatsOptions {
  /** For example `nats://127.0.0.1:4222`; any of them will do. */
  readonly servers: readonly string[];
  /** The nkey seed as it stands in its file, with or without a line break at the end. Taken over: wiped when the wire closes. */
  readonly seed: Secret;
  /** Shown in the server's log. */
  readonly name: string;
  /** PEM. Only a server with a certificate of this authority is then spoken to. Default: no TLS, for a bus on loopback. */
  readonly tls?: { readonly ca: Uint8Array; readonly certificate: Uint8Array; readonly key: Uint8Array } | undefined;
  /** Told about refusals of the server while connected, a few a minute. Default: nobody; all are counted. */
  readonly onProblem?: (problem: CountersignError) => void;
  /** Bounds the first connection; afterwards the wire reconnects until it is closed. */
  readonly signal: AbortSignal;
}

/**
 * Connects to the bus. Tries until the signal aborts (`wire_unreachable`); raises `wire_unauthorized` as soon as a server refuses
 * the key, and `wire_seed_invalid` before anything is tried.
 */
export async function connectNats(options: NatsOptions): Promise<NatsWire> {
  const { seed, signal } = options;
  checkSeed(seed);
  for (let lastError: unknown; ; ) {
    if (signal.aborted) {
      const text = `No server of the bus at ${options.servers.join(", ")} answered in time.`;
      throw meshError("wire_unreachable", text, { cause: lastError ?? signal.reason });
    }
    try {
      const connection = await connect(connectionOptions(options));
      return await keepUnlessAborted(connection, options);
    } catch (error) {
      if (error instanceof errors.AuthorizationError) {
        const text = `The bus does not know the key of ${options.name}.`;
        throw meshError("wire_unauthorized", text, { cause: error });
      }
      lastError = error;
    }
    // The pause ends early when the signal aborts, which the loop then sees.
    await pause(RECONNECT_PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}

async function keepUnlessAborted(connection: NatsConnection, options: NatsOptions): Promise<NatsWire> {
  if (!options.signal.aborted) return new NatsWire(connection, options);
  await connection.close();
  throw options.signal.reason;
}

function connectionOptions({ servers, seed, name, tls }: NatsOptions): NodeConnectionOptions {
  return {
    servers: [...servers],
    name,
    authenticator: nkeyAuthenticator(() => seedText(seed)),
    ...(tls === undefined ? {} : { tls: { ca: pem(tls.ca), cert: pem(tls.certificate), key: pem(tls.key) } }),
    timeout: CONNECT_TIMEOUT_MS,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_PAUSE_MS,
    reconnectJitter: RECONNECT_PAUSE_MS,
    // A server that comes back with a stale list of users must not end a node that runs: it keeps trying.
    ignoreAuthErrorAbort: true,
    // The configured servers and no others, whatever a server gossips.
    ignoreClusterUpdates: true,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    noEcho: true,
    noAsyncTraces: true,
  };
}

function pem(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function seedText(seed: Secret): Uint8Array {
  const text = seed.expose();
  return text.at(-1) === LINE_FEED ? text.subarray(0, -1) : text;
}

function checkSeed(seed: Secret): void {
  try {
    if (fromSeed(seedText(seed)).getPublicKey().startsWith("U")) return;
  } catch {
    // The library's error is dropped on purpose: it could carry what it was given.
    throw meshError("wire_seed_invalid", "The nkey seed cannot be read.");
  }
  throw meshError("wire_seed_invalid", "The nkey seed is not a user's.");
}
