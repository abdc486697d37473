import { connect, createServer, type Server, type Socket } from "node:net";

/** Longest capture: many times what a test sends. */
const CAPTURE_BYTES_MAX = 256 * 1_048_576;

/** A proxy that passes a plaintext protocol on and keeps every byte of it, both ways. */
export class WireTap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #flows: Buffer[][] = [];
  #size = 0;

  private constructor(target: string) {
    const [host, port] = target.split(":");
    this.#server = createServer((caller) => {
      const callee = connect(Number(port), host);
      this.#pass(caller, callee);
      this.#pass(callee, caller);
    });
  }

  /** Listens on a free port in front of `target` (`host:port`). */
  static async before(target: string): Promise<WireTap> {
    const tap = new WireTap(target);
    await new Promise<void>((resolve) => tap.#server.listen(0, "127.0.0.1", resolve));
    return tap;
  }

  /** `host:port` to call instead. */
  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The tap does not listen.");
    return `127.0.0.1:${address.port}`;
  }

  /** Everything that passed: one connection and direction after the other, so that no message is torn. */
  captured(): Buffer {
    return Buffer.concat(this.#flows.flat());
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(from: Socket, to: Socket): void {
    const flow: Buffer[] = [];
    this.#flows.push(flow);
    this.#sockets.add(from);
    from.on("data", (bytes) => {
      this.#size += bytes.length;
      if (this.#size > CAPTURE_BYTES_MAX) from.destroy(new Error("The capture is full."));
      flow.push(bytes);
      to.write(bytes);
    });
    // Killed processes leave broken connections; each end follows the other.
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
