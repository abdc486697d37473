import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Coordination } from "./coordination.ts";
import { memoryCoordination } from "./memory.ts";
import { redisCoordination } from "./redis.ts";

/** Longer than any command may take; what a test does not wait for ends by itself. */
const LONG_MS = 60_000;
/** A lease that a test lets expire. */
const SHORT_MS = 40;
/** How long leases outlive their holders in tests that wait for it: renewals come in time on a loaded machine too. */
const HOLD_MS = 600;
/** Time for a Redis to start or to be found again on a loaded machine. */
const WAIT_MS = 15_000;

/** A redis-server of our own: its process, folder and port. */
class TestRedis {
  readonly #folder: string;
  readonly port: number;
  #child: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  static async start(): Promise<TestRedis> {
    const redis = new TestRedis(await mkdtemp(join(tmpdir(), "countersign-redis-")), await freePort());
    await redis.run();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async run(): Promise<void> {
    const words = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--dir", this.#folder];
    const child = spawn("redis-server", words, { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    for await (const line of child.stdout) if (String(line).includes("Ready to accept connections")) break;
  }

  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No port.");
  return address.port;
}

/** Asks for a lease until it is granted. */
async function granted(coordination: Coordination, name: string, isRight = (token: number) => token >= 0) {
  for (const end = performance.now() + WAIT_MS; performance.now() < end; await pause(10)) {
    const lease = await coordination.acquire(name, LONG_MS);
    if (lease !== undefined && isRight(lease.fencingToken)) return lease;
  }
  throw new Error(`No lease of ${name} within ${WAIT_MS} ms.`);
}

let redis: TestRedis;
before(async () => {
  redis = await TestRedis.start();
});
after(() => redis.remove());

let deployments = 0;
function onRedis(options: Partial<Parameters<typeof redisCoordination>[0]> = {}) {
  const { url = redis.url, deploymentId = `dep-${++deployments}`, onUnreachable = () => {}, ...rest } = options;
  return redisCoordination({ url, deploymentId, onUnreachable, ...rest });
}

/** What every kind of coordination promises. `open` makes a fresh one on the machine's clock. */
function coordinationContract(name: string, open: () => Promise<Coordination> | Coordination): void {
  describe(`coordination in ${name}`, () => {
    test("a lease is granted to one holder, and other names are not touched by it", async () => {
      const coordination = await open();
      try {
        const first = await coordination.acquire("request-1", LONG_MS);
        const second = await coordination.acquire("request-1", LONG_MS);
        const other = await coordination.acquire("request-2", LONG_MS);

        assert.ok(first !== undefined && other !== undefined);
        assert.equal(second, undefined);
      } finally {
        await coordination.close();
      }
    });

    test("of many that ask at once exactly one is granted", async () => {
      const coordination = await open();
      try {
        const leases = await Promise.all(Array.from({ length: 64 }, () => coordination.acquire("request", LONG_MS)));

        assert.equal(leases.filter((lease) => lease !== undefined).length, 1);
      } finally {
        await coordination.close();
      }
    });

    test("a released lease is free at once, and its token rises with every grant", async () => {
      const coordination = await open();
      try {
        const tokens = [];
        for (let grant = 0; grant < 3; grant++) {
          const lease = await coordination.acquire("request", LONG_MS);
          tokens.push(lease?.fencingToken ?? 0);
          await lease?.release();
        }

        assert.ok((tokens[0] ?? 0) > 0);
        assert.ok((tokens[0] ?? 0) < (tokens[1] ?? 0) && (tokens[1] ?? 0) < (tokens[2] ?? 0), tokens.join());
      } finally {
        await coordination.close();
      }
    });

    test("a lease ends by itself, and a holder who comes late gives up nobody else's", async () => {
      const coordination = await open();
      try {
        const late = await coordination.acquire("request", SHORT_MS);
        const next = await granted(coordination, "request");
        await late?.release();
        const third = await coordination.acquire("request", LONG_MS);
        await next.release();
        await next.release();
        const fourth = await coordination.acquire("request", LONG_MS);

        assert.ok(late !== undefined && next.fencingToken > late.fencingToken);
        assert.equal(third, undefined, "the late release did not free it");
        assert.ok(fourth !== undefined && fourth.fencingToken > next.fencingToken);
      } finally {
        await coordination.close();
      }
    });
  });
}

coordinationContract("memory", () => memoryCoordination(() => performance.now()));
coordinationContract("Redis", () => onRedis());

describe("coordination in Redis alone", () => {
  test("two orchestrators of one deployment share leases, those of another deployment do not", async () => {
    const [first, second, foreign] = await Promise.all([
      onRedis({ deploymentId: "dep-shared" }),
      onRedis({ deploymentId: "dep-shared" }),
      onRedis({ deploymentId: "dep-foreign" }),
    ]);
    try {
      const lease = await first.acquire("request", LONG_MS);

      assert.equal(await second.acquire("request", LONG_MS), undefined);
      assert.ok((await foreign.acquire("request", LONG_MS)) !== undefined);
      await lease?.release();
      assert.ok((await second.acquire("request", LONG_MS)) !== undefined);
    } finally {
      await Promise.all([first, second, foreign].map((one) => one.close()));
    }
  });

  test("a holder that dies lets go soon, however long it wanted to hold", async () => {
    const [dying, living] = await Promise.all(
      [1, 2].map(() => onRedis({ deploymentId: "dep-death", holdMs: HOLD_MS })),
    );
    assert.ok(dying !== undefined && living !== undefined);
    try {
      const lease = await dying.acquire("request", LONG_MS);
      // Nothing is released: to Redis this is what a crash looks like.
      await dying.close();
      const next = await granted(living, "request");

      assert.ok(lease !== undefined && next.fencingToken > lease.fencingToken);
    } finally {
      await living.close();
    }
  });

  test("a holder that lives holds its lease for as long as it was granted, and no longer", async () => {
    const [holder, other] = await Promise.all([1, 2].map(() => onRedis({ deploymentId: "dep-life", holdMs: HOLD_MS })));
    assert.ok(holder !== undefined && other !== undefined);
    try {
      const begun = performance.now();
      await holder.acquire("request", 5 * HOLD_MS);
      await granted(other, "request");

      // Redis and this process need not agree to the millisecond.
      assert.ok(performance.now() - begun > 4.5 * HOLD_MS);
    } finally {
      await Promise.all([holder.close(), other.close()]);
    }
  });

  test("closing waits for a release that nobody awaited", async () => {
    const own = await TestRedis.start();
    const told: Error[] = [];
    const coordination = await onRedis({ url: own.url, onUnreachable: (error) => told.push(error) });
    try {
      const lease = await coordination.acquire("request", LONG_MS);
      own.freeze();
      void lease?.release();

      await coordination.close();

      assert.deepEqual(
        told.map(({ message }) => message),
        ["Command timed out"],
      );
    } finally {
      own.thaw();
      await own.remove();
    }
  });

  test("without a Redis an orchestrator starts, works without fences, says so, and finds Redis once it is there", async () => {
    const own = await TestRedis.start();
    await own.kill();
    const told: Error[] = [];
    const coordination = await onRedis({ url: own.url, onUnreachable: (error) => told.push(error) });
    try {
      const first = await coordination.acquire("request", LONG_MS);
      const second = await coordination.acquire("request", LONG_MS);
      await first?.release();
      const toldBefore = told.length;
      await own.run();
      const fenced = await granted(coordination, "request", (token) => token > 0);

      assert.deepEqual([first?.fencingToken, second?.fencingToken], [0, 0]);
      assert.ok(toldBefore > 0);
      assert.ok(fenced.fencingToken > 0);
    } finally {
      await coordination.close();
      await own.remove();
    }
  });

  test("a Redis that hangs costs a call no more than its command timeout, and a release is harmless", async () => {
    const own = await TestRedis.start();
    const told: Error[] = [];
    const coordination = await onRedis({ url: own.url, onUnreachable: (error) => told.push(error), reportMs: 0 });
    try {
      const held = await coordination.acquire("request", LONG_MS);
      own.freeze();
      const call = coordination.acquire("request", LONG_MS);
      // Many times the command timeout, and far below what a client waits by itself.
      const unfenced = await Promise.race([call, pause(10_000, undefined, { ref: false })]);
      await held?.release();
      const messages = told.map(({ message }) => message);
      own.thaw();
      const again = await granted(coordination, "another", (token) => token > 0);

      assert.ok((held?.fencingToken ?? 0) > 0);
      assert.equal(unfenced?.fencingToken, 0);
      assert.deepEqual(messages, ["Command timed out", "Command timed out"]);
      assert.ok(again.fencingToken > (held?.fencingToken ?? 0));
    } finally {
      await coordination.close();
      await own.remove();
    }
  });

  test("a Redis that is away is reported now and then, not by every lease", async () => {
    const own = await TestRedis.start();
    const told: Error[] = [];
    const reportMs = 50;
    const coordination = await onRedis({ url: own.url, onUnreachable: (error) => told.push(error), reportMs });
    const askAll = () => Promise.all(Array.from({ length: 64 }, (_, k) => coordination.acquire(`${k}`, LONG_MS)));
    try {
      await askAll();
      await own.kill();
      const begun = performance.now();
      let asked = 0;
      while (told.length < 3 && performance.now() - begun < WAIT_MS) {
        for (const { fencingToken } of (await askAll()).filter((lease) => lease !== undefined))
          if (fencingToken === 0) asked++;
        await pause(10);
      }
      const tookMs = performance.now() - begun;

      assert.ok(told.length >= 3, "it is still said later");
      assert.ok(
        asked > told.length && told.length <= 1 + tookMs / reportMs,
        `${told.length} of ${asked}, ${tookMs} ms`,
      );
    } finally {
      await coordination.close();
      await own.remove();
    }
  });

  test("a Redis that dies between two calls is reported and its leases are granted without fence", async () => {
    const own = await TestRedis.start();
    const told: Error[] = [];
    const coordination = await onRedis({ url: own.url, onUnreachable: (error) => told.push(error) });
    try {
      const held = await coordination.acquire("request", LONG_MS);
      await own.kill();
      const unfenced = await granted(coordination, "request", (token) => token === 0);

      assert.ok((held?.fencingToken ?? 0) > 0);
      assert.equal(unfenced.fencingToken, 0);
      assert.ok(told.length > 0);
    } finally {
      await coordination.close();
      await own.remove();
    }
  });
});
