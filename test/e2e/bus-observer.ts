import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { Secret } from "@countersign/bytes";
import { connectNats, createNatsKey, decodeHeader, type NatsWire } from "@countersign/mesh";
import { EnvelopeSchema } from "@countersign/proto/mesh";
import type { MessageFacts } from "@countersign/threshold";
import type { RealNetwork } from "./real-network.ts";
import { until } from "./until.ts";

/**
 * Watches the whole bus, as whoever runs its server can: a participant of its own is added to the server's configuration, which may
 * hear everything and say nothing. Rounds are sealed; which round an envelope belongs to is not.
 */
export class BusObserver {
  readonly #wire: NatsWire;
  /** Called for every protocol message on its way, once per receiver. */
  onMessage: (facts: MessageFacts) => void = () => {};

  private constructor(wire: NatsWire) {
    this.#wire = wire;
  }

  static async on(network: RealNetwork): Promise<BusObserver> {
    const { seed, publicKey } = createNatsKey();
    const listener = `{ nkey: ${publicKey}, permissions: { publish: { deny: [">"] }, subscribe: { allow: [">"] } } }`;
    const configuration = Buffer.from(network.read("nats", "server.conf")).toString();
    const path = join(network.data, "nats", "server.conf");
    writeFileSync(path, configuration.replace("users = [", `users = [\n    ${listener}`));
    // The server reads its configuration again; nobody's connection ends.
    process.kill(network.pidOf("nats"), "SIGHUP");
    const wire = await until("the bus knows its observer", () =>
      connectNats({
        servers: [`nats://${network.addressOf("nats")}`],
        seed: new Secret(seed.expose().slice()),
        name: "observer",
        signal: AbortSignal.timeout(2_000),
      }),
    );
    const observer = new BusObserver(wire);
    await wire.subscribe("cs.>", (subject, bytes) => {
      if (/\.[0-9a-f]{64}$/.test(subject)) observer.#receive(bytes);
    });
    return observer;
  }

  close(): Promise<void> {
    return this.#wire.close();
  }

  #receive(bytes: Uint8Array): void {
    const facts = decodeHeader(fromBinary(EnvelopeSchema, bytes).header);
    if (facts !== undefined) this.onMessage(facts);
  }
}
