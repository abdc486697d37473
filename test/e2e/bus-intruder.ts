import { randomBytes } from "node:crypto";
import { Secret } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import { connectNats, createNatsKey, ENVELOPE_BYTES_MAX, type NatsWire } from "@countersign/mesh";
import type { RealNetwork } from "./real-network.ts";

/** An envelope that was heard. */
interface Heard {
  /** What stands in the subject after sender and receiver: a session, `channel` or `presence`. */
  readonly topic: string;
  readonly bytes: Uint8Array;
}

const CONNECT_MS_MAX = 10_000;
/** Messages of each kind that a flood throws in. */
const FLOOD = 300;

/** Somebody on the bus with a participant's own credentials, beside that participant, who goes on. */
export class BusIntruder {
  readonly wire: NatsWire;
  /** What the server refused. */
  readonly problems: CountersignError[];
  readonly #prefix: string;
  readonly #self: string;

  private constructor(parts: { wire: NatsWire; problems: CountersignError[]; prefix: string; self: string }) {
    this.wire = parts.wire;
    this.problems = parts.problems;
    this.#prefix = parts.prefix;
    this.#self = parts.self;
  }

  /** Connects with the seed of a node or of the orchestrator; as anybody else with a seed of its own making. */
  static async as(network: RealNetwork, self: string): Promise<BusIntruder> {
    const problems: CountersignError[] = [];
    const wire = await connectNats({
      servers: [`nats://${network.addressOf("nats")}`],
      seed: seedOf(network, self),
      name: self,
      onProblem: (problem) => problems.push(problem),
      signal: AbortSignal.timeout(CONNECT_MS_MAX),
    });
    return new BusIntruder({ wire, problems, prefix: `cs.${network.descriptor.deploymentId}`, self });
  }

  /** Collects the sessions' envelopes that come to this participant. */
  async listen(): Promise<Heard[]> {
    const heard: Heard[] = [];
    await this.wire.subscribe(`${this.#prefix}.*.${this.#self}.>`, (subject, bytes) => {
      const topic = subject.split(".").at(-1) ?? "";
      if (topic !== "channel" && topic !== "presence") heard.push({ topic, bytes: bytes.slice() });
    });
    return heard;
  }

  /** Throws everything at a node that this participant may send: noise, cut, altered, misplaced and repeated envelopes. */
  flood(to: string, heard: readonly Heard[]): void {
    const say = (topic: string, bytes: Uint8Array) =>
      this.wire.publish(`${this.#prefix}.${this.#self}.${to}.${topic}`, bytes);
    const session = randomBytes(32).toString("hex");
    for (let k = 0; k < FLOOD; k++) {
      for (const topic of ["channel", "presence", session, "nonsense"]) say(topic, randomBytes(k));
      const { topic, bytes } = heard[k % heard.length] ?? { topic: session, bytes: new Uint8Array(0) };
      say(topic, bytes);
      say(session, bytes);
      say("channel", bytes);
      say(topic, bytes.subarray(0, k % (bytes.length + 1)));
      say(topic, bytes.with(k % bytes.length, (bytes[k % bytes.length] ?? 0) ^ (1 << (k & 7))));
    }
  }

  /** Sends envelopes as large as the bus carries. */
  largest(to: string): void {
    for (const topic of ["channel", "presence", randomBytes(32).toString("hex")])
      this.wire.publish(`${this.#prefix}.${this.#self}.${to}.${topic}`, randomBytes(ENVELOPE_BYTES_MAX));
  }

  close(): Promise<void> {
    return this.wire.close();
  }
}

function seedOf(network: RealNetwork, self: string): Secret {
  if (network.descriptor.nodes.some(({ id }) => id === self))
    return new Secret(network.read("nodes", self, "nats.seed"));
  return self.startsWith("orchestrator") ? new Secret(network.read("orchestrator", "nats.seed")) : createNatsKey().seed;
}
