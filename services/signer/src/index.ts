// What simulations and measurements run without a process around it; services never import each other.
export type { SignerNode } from "./node.ts";
export { signerCalls } from "./server.ts";
export { Sessions } from "./sessions.ts";
