import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { operatorError } from "../errors.ts";

/** The embedded network listens on this machine only. */
export const LOOPBACK = "127.0.0.1";

/**
 * Ports are drawn from below the range that systems use for outgoing connections (32,768 on Linux, 49,152 elsewhere):
 * between choosing one and its service listening there, no client socket can take it by chance.
 */
const PORT_MIN = 20_000;
const PORT_MAX = 29_999;
/** So many busy ports in a row mean that something is wrong with the machine, not with our luck. */
const DRAWS_MAX = 200;

/** Chooses `count` distinct ports of the loopback interface that nothing listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const chosen = new Set<number>();
  for (let draw = 0; draw < DRAWS_MAX && chosen.size < count; draw++) {
    const port = randomInt(PORT_MIN, PORT_MAX + 1);
    if (!chosen.has(port) && (await isFree(port))) chosen.add(port);
  }
  if (chosen.size < count)
    throw operatorError("port_busy", `No ${count} free ports between ${PORT_MIN} and ${PORT_MAX} on ${LOOPBACK}.`);
  return [...chosen];
}

/** Raises `port_busy` with what to do unless something may listen on the port. */
export async function assertPortFree(port: number): Promise<void> {
  if (await isFree(port)) return;
  throw operatorError(
    "port_busy",
    `Port ${port} on ${LOOPBACK} is in use by another program (or not allowed to you). Choose another with --port, or any free one with --port 0.`,
    { details: { port } },
  );
}

/** Whether a listener can be opened on the port now. */
export function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen({ host: LOOPBACK, port, exclusive: true }, () => server.close(() => resolve(true)));
  return promise;
}
