import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { assertPortFree, freePorts, LOOPBACK } from "./ports.ts";

test("free ports are distinct and outside the range of outgoing connections", async () => {
  const ports = await freePorts(12);

  assert.equal(new Set(ports).size, 12);
  for (const port of ports) assert.ok(port >= 20_000 && port < 30_000);
});

test("a busy port is refused with what to do", async (t) => {
  const server = createServer().listen(0, LOOPBACK);
  t.after(() => server.close());
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  await assert.rejects(assertPortFree(port), { code: "port_busy", message: new RegExp(`^Port ${port} .*--port 0`) });
});
