export { TestNatsServer } from "./nats-server.ts";
export { seededKey, testDescriptor } from "./test-descriptor.ts";
export { waitUntil } from "./wait-until.ts";
