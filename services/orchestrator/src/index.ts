// What simulations and measurements run without a process around it; services never import each other.
export { memoryCoordination } from "./coordination/memory.ts";
export { createKey } from "./create-key.ts";
export { InFlight } from "./in-flight.ts";
export { KeyDirectory } from "./key-directory.ts";
export type { CallOptions, Network, SignerClient } from "./network.ts";
export { candidatesOf } from "./open-network.ts";
export { type Signed, signRequest } from "./sign-request.ts";
