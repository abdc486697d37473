import type { AuthorityState, Descriptor } from "@countersign/authority";
import type { FastifyBaseLogger } from "fastify";
import type { Database } from "./database/database.ts";
import type { Orchestrators } from "./orchestrators.ts";
import type { Tokens } from "./tokens.ts";

/** What requests are served with. */
export interface Api {
  readonly descriptor: Descriptor;
  /** Who may do what, as known now. */
  readonly state: () => AuthorityState;
  readonly tokens: Tokens;
  readonly database: Database;
  readonly orchestrators: Orchestrators;
  readonly log: FastifyBaseLogger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Aborts when what still runs at shutdown has had its time. */
  readonly stopping: AbortSignal;
}
