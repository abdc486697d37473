// A probe server in its own process, so that a test can kill it. Takes its TLS material over IPC and reports its address.
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { serveRpc } from "../server.ts";
import { implement } from "../service.ts";
import type { TlsMaterial } from "../tls.ts";
import { ECHO } from "./network.ts";
import { ProbeService } from "./probe-service.ts";

process.on("disconnect", () => process.exit());
const [message] = await once(process, "message");
const { tls, port }: { tls: TlsMaterial; port: number } = message;
const server = await serveRpc({
  listen: { host: "127.0.0.1", port },
  tls,
  services: [
    implement(
      ProbeService,
      {
        ...ECHO,
        async *flow(request, { signal }) {
          yield request;
          await delay(60_000, undefined, { signal });
        },
      },
      { callers: ["orchestrator"] },
    ),
  ],
});
process.send?.({ port: server.port });
