import { setTimeout as delay } from "node:timers/promises";
import { apply, parseDescriptor } from "@countersign/authority";
import { decodeUtf8 } from "@countersign/bytes";
import {
  type RunningService,
  readBounded,
  readSecret,
  readTls,
  type ServiceTools,
  TaskGroup,
} from "@countersign/runtime";
import type { Api } from "./api.ts";
import type { ApiConfig } from "./config.ts";
import { Database } from "./database/database.ts";
import { apiError } from "./errors.ts";
import { settleAtStart, sweepUntil } from "./housekeeping.ts";
import { KeyCreations } from "./keys/key-creations.ts";
import { Orchestrators } from "./orchestrators.ts";
import { createServer } from "./server.ts";
import type { Routes } from "./server-routes.ts";
import { Signing } from "./signatures/signing.ts";
import { Tokens } from "./tokens.ts";

/** Many times a descriptor; its reader has a tighter bound. */
const DESCRIPTOR_BYTES_MAX = 1_048_576;
/** What is cut off after the time to drain gets this long to tell its callers. */
const CUT_OFF_MS = 1_000;

/** Starts the API: database, connections, HTTP. */
export async function startApi(config: ApiConfig, { log, signal }: ServiceTools): Promise<RunningService> {
  const descriptor = parseDescriptor(await readBounded(config.descriptor, DESCRIPTOR_BYTES_MAX));
  const { deploymentId } = descriptor;
  const state = apply(descriptor);
  const tls = await readTls(config.tls);
  using tokenKey = await readSecret(config.tokenKey);
  const tokens = new Tokens(decodeUtf8(tokenKey.expose(), "tokenKey"), { deploymentId, now: Date.now });
  const database = await Database.open(config.database, { templates: config.databaseTemplates });
  const orchestrators = new Orchestrators(config.orchestrators, { deploymentId, tls });
  const cutOff = new AbortController();
  const api: Api = {
    descriptor,
    state: () => state,
    tokens,
    database,
    orchestrators,
    log,
    now: Date.now,
    stopping: cutOff.signal,
  };
  const swept = { api, keyCreations: new KeyCreations(api), signing: new Signing(api) };
  await settleAtStart(swept);
  const server = await createServer({ ...swept, isStopping: () => signal.aborted });
  await listen(server, config.listen);
  const housekeeping = new TaskGroup((error) => log.error({ err: error }, "housekeeping ended"));
  housekeeping.run("housekeeping", (stop) => sweepUntil(stop, swept));
  return {
    address: addressOf(server, config.listen.host),
    close: async ({ graceMs }) => {
      await closeServer(server, cutOff, graceMs);
      await housekeeping.close({ graceMs: CUT_OFF_MS });
      orchestrators.close();
      // Last: everything above may still have had something to store.
      await database.close();
    },
  };
}

async function listen(server: Routes, { host, port }: ApiConfig["listen"]): Promise<void> {
  try {
    await server.listen({ host, port });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw apiError("http_listen_failed", `Cannot listen on ${host}:${port}: ${why}`, { cause });
  }
}

/** Lets requests end by themselves, then cuts off their calls, then their connections. */
async function closeServer(server: Routes, cutOff: AbortController, graceMs: number): Promise<void> {
  const ended = server.close().then(() => true);
  if (!(await Promise.race([ended, delay(graceMs, false, { ref: false })]))) {
    server.log.warn("cutting off the requests that still run");
    cutOff.abort(new Error("The API is shutting down."));
    await Promise.race([ended, delay(CUT_OFF_MS, false, { ref: false })]);
    server.server.closeAllConnections();
  }
  await ended;
  // What runs on without a request: continued key creations.
  cutOff.abort(new Error("The API is shutting down."));
}

function addressOf(server: Routes, host: string): string {
  const bound = server.server.address();
  if (bound === null || typeof bound === "string") throw new Error("The server listens on no port.");
  return `${host.includes(":") ? `[${host}]` : host}:${bound.port}`;
}
