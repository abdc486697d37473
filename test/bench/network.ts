import { readFileSync } from "node:fs";
import { evidenceToWire } from "@countersign/wire";
import { RealNetwork } from "../e2e/real-network.ts";
import { randomMessage } from "./deployment.ts";
import { type Plan, repeat, warmUp } from "./plan.ts";
import type { RecordSamples } from "./rows.ts";

/** Requests at once in the row of that name. */
const IN_FLIGHT = 16;
/** Each sample of a rate counts the answers of this long. */
const WINDOW_MS = 1_000;
/** Requests before any is measured: connections stand and most code is compiled by then. */
const WARM_UP = 400;
/** Evidence is prepared before the clock starts, for this many signatures a second and no more. */
const RATE_MAX_PER_S = 1_000;
const SIGN_MS = 10_000;
/** Linux counts CPU time in hundredths of a second. */
const TICK_MS = 10;
const CREATE_MS = 60_000;

type Prepared = ReturnType<typeof evidenceToWire>;

/** Measures the wanted rows on one network that the command line starts; it is stopped and deleted however this ends. */
export async function measureNetwork(plan: Plan, record: RecordSamples): Promise<void> {
  const network = await RealNetwork.start();
  try {
    plan.signal.throwIfAborted();
    const { id } = await network.client.createKey({ scheme: "EdDSA", curve: "ed25519" });
    const bench = new NetworkBench(network, id, plan);
    await bench.warmUp();
    // First what makes most requests: the compiler has seen them all when single ones are timed.
    await bench.measureRate(record);
    await bench.measureLatency(record);
    await bench.measureApi(record);
    await bench.measureKeygen(record);
  } finally {
    await network.close();
  }
}

/** One key on one network. */
class NetworkBench {
  readonly #network: RealNetwork;
  readonly #keyId: string;
  readonly #plan: Plan;

  constructor(network: RealNetwork, keyId: string, plan: Plan) {
    this.#network = network;
    this.#keyId = keyId;
    this.#plan = plan;
  }

  async warmUp(): Promise<void> {
    const evidence = await this.#prepare(WARM_UP);
    await this.#inFlight(evidence, IN_FLIGHT, () => this.#isLate() || this.#plan.signal.aborted);
  }

  /** Both rows from the same requests, window by window. */
  async measureRate(record: RecordSamples): Promise<void> {
    const { wanted, quick, signal } = this.#plan;
    if (!wanted.has("network.eddsa.sustained_per_s") && !wanted.has("network.eddsa.cpu_ms")) return;
    const windows = quick ? 3 : 8;
    const evidence = await this.#prepare((RATE_MAX_PER_S * windows * WINDOW_MS) / 1_000);
    const ends = [{ at: performance.now(), cpuMs: this.#servicesCpuMs(), answers: 0 }];
    let answers = 0;
    const isOver = () => ends.length > windows || signal.aborted;
    await this.#inFlight(evidence, IN_FLIGHT, isOver, () => {
      answers++;
      const at = performance.now();
      if (at >= (ends.at(-1)?.at ?? at) + WINDOW_MS) ends.push({ at, cpuMs: this.#servicesCpuMs(), answers });
    });
    signal.throwIfAborted();
    const pairs = ends.slice(1).map((end, place) => [ends[place] ?? end, end] as const);
    const rates = pairs.map(([start, end]) => ((end.answers - start.answers) * 1_000) / (end.at - start.at));
    const costs = pairs.map(([start, end]) => (end.cpuMs - start.cpuMs) / (end.answers - start.answers));
    if (wanted.has("network.eddsa.sustained_per_s")) record("network.eddsa.sustained_per_s", rates);
    if (wanted.has("network.eddsa.cpu_ms")) record("network.eddsa.cpu_ms", costs);
  }

  /** CPU that the services have used since they started, by Linux' word; its clock ticks every 10 ms. */
  #servicesCpuMs(): number {
    const nodes = this.#network.descriptor.nodes.map(({ id }) => id);
    const pids = ["nats", "redis", "orchestrator", "api", ...nodes].map((name) => this.#network.pidOf(name));
    return pids.reduce((total, pid) => total + cpuMsOf(pid), 0);
  }

  async measureLatency(record: RecordSamples): Promise<void> {
    const rows = (["network.eddsa.p50_ms", "network.eddsa.p99_ms"] as const).filter((row) =>
      this.#plan.wanted.has(row),
    );
    if (rows.length === 0) return;
    const bounds = this.#plan.quick ? { runsMax: 100, msMax: 2_000 } : { runsMax: 400, msMax: 8_000 };
    const evidence = await this.#prepare(bounds.runsMax);
    const samples = await repeat(this.#plan, bounds, (run) => timed(() => this.#sign(evidence[run])));
    for (const row of rows) record(row, samples);
  }

  async measureApi(record: RecordSamples): Promise<void> {
    if (!this.#plan.wanted.has("api.eddsa.p50_ms")) return;
    const { client } = this.#network;
    const once = () => client.sign(this.#keyId, randomMessage());
    await warmUp(this.#plan, 20, once);
    const bounds = this.#plan.quick ? { runsMax: 40, msMax: 2_000 } : { runsMax: 150, msMax: 6_000 };
    record("api.eddsa.p50_ms", await repeat(this.#plan, bounds, () => timed(once)));
  }

  async measureKeygen(record: RecordSamples): Promise<void> {
    if (!this.#plan.wanted.has("network.keygen.p50_ms")) return;
    const once = async () => {
      const evidence = await this.#network.approve("POST", "/keys", { scheme: "EdDSA", curve: "ed25519" });
      const request = { evidence: evidenceToWire(evidence) };
      return timed(() => this.#network.orchestratorClient().createKey(request, { deadlineMs: CREATE_MS }));
    };
    await warmUp(this.#plan, 3, once);
    const bounds = this.#plan.quick ? { runsMax: 10, msMax: 2_000 } : { runsMax: 40, msMax: 6_000 };
    record("network.keygen.p50_ms", await repeat(this.#plan, bounds, once));
  }

  /** Fresh evidence over random messages, approved by the administrator before any clock starts. */
  async #prepare(count: number): Promise<readonly Prepared[]> {
    const path = `/keys/${this.#keyId}/signatures`;
    const prepared: Prepared[] = [];
    for (let k = 0; k < count; k++)
      prepared.push(evidenceToWire(await this.#network.approve("POST", path, randomMessage())));
    return prepared;
  }

  async #sign(evidence: Prepared | undefined): Promise<void> {
    if (evidence === undefined) throw new Error("The prepared evidence is used up.");
    await this.#network.orchestratorClient().sign({ evidence }, { deadlineMs: SIGN_MS, signal: this.#plan.signal });
  }

  #isLate(): boolean {
    return performance.now() > this.#plan.endsAt;
  }

  /** Keeps `lanes` requests in flight until `isOver` or the evidence is used up. A request that fails ends the measurement. */
  async #inFlight(
    evidence: readonly Prepared[],
    lanes: number,
    isOver: () => boolean,
    onAnswer: () => void = () => {},
  ): Promise<void> {
    let next = 0;
    const lane = async () => {
      while (!isOver() && next < evidence.length) {
        await this.#sign(evidence[next++]);
        onAnswer();
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }
}

function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // Fields after the command, which may itself hold spaces; utime and stime are the 12th and 13th of them.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
