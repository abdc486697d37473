import { Type } from "typebox";
import type { Api } from "./api.ts";
import { apiError } from "./errors.ts";

/** Answer of `GET /health`: the process serves HTTP. */
export const Health = Type.Object({ status: Type.Literal("ok") }, { additionalProperties: false });

/** Answer of `GET /health/ready`: requests can be served now. */
export const Readiness = Type.Object(
  {
    status: Type.Literal("ready"),
    database: Type.Literal("up"),
    orchestrator: Type.Literal("up"),
    nodesPresent: Type.Integer(),
    nodes: Type.Integer(),
    threshold: Type.Integer(),
  },
  { additionalProperties: false },
);

/** A check that takes longer is an answer too. */
const CHECK_MS_MAX = 2_000;
/** Anybody may ask; the network is asked at most this often. */
const REMEMBERED_MS = 1_000;

/** Judges whether requests can be served, at most once a second however often it is asked. */
export class ReadinessCheck {
  readonly #api: Api;
  #last: { readonly atMs: number; readonly answer: ReturnType<typeof check> } | undefined;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Raises `not_ready`. */
  ready(): ReturnType<typeof check> {
    const now = performance.now();
    if (this.#last === undefined || now - this.#last.atMs >= REMEMBERED_MS)
      this.#last = { atMs: now, answer: check(this.#api) };
    return this.#last.answer;
  }
}

async function check({ database, orchestrators, stopping: signal }: Api) {
  const [stored, network] = await Promise.allSettled([
    database.ping(),
    orchestrators.status({ deadlineMs: CHECK_MS_MAX, signal }),
  ]);
  if (stored.status === "rejected" || network.status === "rejected") {
    const details = {
      database: stored.status === "rejected" ? "down" : "up",
      orchestrator: network.status === "rejected" ? "down" : "up",
    };
    throw apiError("not_ready", "The API cannot serve requests now.", { details });
  }
  const { nodes, threshold } = network.value;
  const nodesPresent = nodes.filter(({ present }) => present).length;
  return { status: "ready", database: "up", orchestrator: "up", nodesPresent, nodes: nodes.length, threshold } as const;
}
