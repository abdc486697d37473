import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NatsConfigurationOptions, natsConfiguration } from "../wire/nats-configuration.ts";
import { waitUntil } from "./wait-until.ts";

type Participants = Pick<NatsConfigurationOptions, "deploymentId" | "nodes" | "orchestrators" | "tls">;

/** State letter of each thread of a process, as Linux shows it. */
async function threadStates(pid: number | undefined): Promise<string[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = await Promise.all(threads.map((id) => readFile(`/proc/${pid}/task/${id}/stat`, "utf8")));
  return stats.map((stat) => stat[stat.lastIndexOf(")") + 2] ?? "");
}

/** A nats-server of our own, with files in a folder of its own, on a free port that it keeps over restarts. */
export class TestNatsServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #participants: Participants;
  #child: ChildProcess | undefined;
  #port = -1;

  private constructor(folder: string, participants: Participants) {
    this.#folder = folder;
    this.#participants = participants;
  }

  static async start(participants: Participants): Promise<TestNatsServer> {
    const server = new TestNatsServer(await mkdtemp(join(tmpdir(), "mesh-nats-")), participants);
    await server.restart();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  /** Starts it again, with other participants or a smaller bound of messages if they are given. */
  async restart(participants: Participants = this.#participants, { maxPayload = 0 } = {}): Promise<void> {
    await this.stop();
    const file = join(this.#folder, "nats.conf");
    const listen = { host: "127.0.0.1", port: this.#port, portsFolder: this.#folder };
    const text = natsConfiguration({ ...participants, ...listen });
    await writeFile(file, maxPayload === 0 ? text : text.replace(/max_payload: \d+/, `max_payload: ${maxPayload}`));
    const child = spawn("nats-server", ["-c", file], {
      stdio: "ignore",
      env: { PATH: `${process.env["PATH"]}:/usr/sbin` },
    });
    this.#child = child;
    const portsFile = `nats-server_${child.pid}.ports`;
    await waitUntil("nats-server wrote its ports", async () => (await readdir(this.#folder)).includes(portsFile));
    const ports: { readonly nats: readonly string[] } = JSON.parse(
      await readFile(join(this.#folder, portsFile), "utf8"),
    );
    this.#port = Number(new URL(ports.nats[0] ?? "").port);
  }

  /** Stops its process without ending it: connections stay and nothing is read. Resolves once every thread stands still. */
  async freeze(): Promise<void> {
    const pid = this.#child?.pid;
    this.#child?.kill("SIGSTOP");
    // The signal reaches a server of many threads after kill() returns: until then it still answers.
    await waitUntil("nats-server stands still", async () => (await threadStates(pid)).every((state) => state === "T"));
  }

  /** Kills it at once, as a crash does. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
