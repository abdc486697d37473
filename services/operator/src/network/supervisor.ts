import { type Exit, exitText, type ServicePlan, type ServiceProcess, startService } from "./service-process.ts";

/** What `status` tells about one service. */
export interface ServiceStatus {
  readonly name: string;
  readonly address: string;
  readonly up: boolean;
  readonly pid?: number;
  /** How it ended, when it is down after having run. */
  readonly ended?: string;
}

/** Services in stages: those of one stage start or stop together, once all of the stage before are ready or gone. */
export type Stages = readonly (readonly ServicePlan[])[];

/**
 * Starts the services of one local network in stages, notices when one ends, and stops them in stages. It does not
 * restart a service by itself: one that crashed is evidence, and `countersign up` starts what is missing.
 */
export class Supervisor {
  readonly #start: Stages;
  readonly #stop: Stages;
  readonly #report: (line: string) => void;
  readonly #running = new Map<string, ServiceProcess>();
  readonly #ended = new Map<string, Exit>();
  #stopping = false;
  /** Starts and stops run one after the other; a second `up` waits for the first. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `start` and `stop` name the same services, each in its order; `report` gets lines for people. */
  constructor(order: { readonly start: Stages; readonly stop: Stages }, report: (line: string) => void) {
    this.#start = order.start;
    this.#stop = order.stop;
    this.#report = report;
  }

  /** Starts every service that is not running and resolves with their names once all are ready. Aborts with `signal`. */
  start(signal: AbortSignal): Promise<string[]> {
    return this.#inTurn(async () => {
      const started: string[] = [];
      for (const stage of this.#start) {
        const missing = stage.filter((plan) => !this.#running.has(plan.name));
        const results = await Promise.allSettled(missing.map((plan) => this.#startOne(plan, signal)));
        for (const result of results) if (result.status === "rejected") throw result.reason;
        started.push(...missing.map((plan) => plan.name));
      }
      return started;
    });
  }

  /** Stops everything, each stage within 17 s; resolves with the names of what was running. */
  stop(): Promise<string[]> {
    this.#stopping = true;
    return this.#inTurn(async () => {
      const stopped: string[] = [];
      for (const stage of this.#stop) {
        const running = stage.flatMap((plan) => this.#running.get(plan.name) ?? []);
        await Promise.all(running.map((service) => service.stop()));
        stopped.push(...running.map((service) => service.plan.name));
      }
      return stopped;
    });
  }

  status(): ServiceStatus[] {
    return this.#start.flat().map((plan) => {
      const service = this.#running.get(plan.name);
      const ended = this.#ended.get(plan.name);
      return {
        name: plan.name,
        address: plan.address,
        up: service !== undefined,
        ...(service === undefined ? {} : { pid: service.pid }),
        ...(service === undefined && ended !== undefined ? { ended: exitText(ended) } : {}),
      };
    });
  }

  async #startOne(plan: ServicePlan, signal: AbortSignal): Promise<void> {
    const service = await startService(plan, signal);
    this.#running.set(plan.name, service);
    this.#ended.delete(plan.name);
    void service.exited.then((exit) => {
      this.#running.delete(plan.name);
      this.#ended.set(plan.name, exit);
      if (!this.#stopping)
        this.#report(
          `${plan.name} ended (${exitText(exit)}). \`countersign up\` starts it again; its log: ${plan.log}`,
        );
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}
