// A stand-in for a service of ours, for tests of what starts, watches and stops services: what it does is its last argument.
import { createServer } from "node:net";

const [behaviour, port] = process.argv.slice(-1)[0]?.split(":") ?? [];
process.on("disconnect", () => process.exit(0));
console.log(JSON.stringify({ level: 30, time: Date.now(), msg: `behaves: ${behaviour}` }));
switch (behaviour) {
  case "ready":
    createServer().listen(Number(port), "127.0.0.1", () =>
      process.send?.({ kind: "ready", address: `127.0.0.1:${port}` }),
    );
    process.on("SIGTERM", () => process.exit(0));
    break;
  case "crash":
    console.log("the reason of the crash");
    process.exit(7);
    break;
  case "silent":
    setInterval(() => {}, 1_000);
    break;
}
