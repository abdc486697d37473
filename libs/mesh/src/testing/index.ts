export { TestNatsServer } from "./nats-server.ts";
export { waitUntil } from "./wait-until.ts";
