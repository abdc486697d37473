import type { ListedVerb } from "../command-line.ts";

/** Every verb, in the order of the overview. */
export const verbs: readonly ListedVerb[] = [
  {
    name: "up",
    summary: "Start a local network (NATS, Redis, signers, orchestrator, API) from nothing",
    load: async () => (await import("./up.ts")).up,
  },
  {
    name: "demo",
    summary: "Show it: network up, keys made, messages signed and checked, a signer killed, signed again",
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    name: "down",
    summary: "Stop the local network; with --wipe also delete its data folder, keys included",
    load: async () => (await import("./down.ts")).down,
  },
  {
    name: "status",
    summary: "Show services, nodes, measured round trips, keys and audit lengths",
    load: async () => (await import("./status.ts")).status,
  },
  {
    name: "logs",
    summary: "Show the log of one service, or of all in order of time",
    load: async () => (await import("./logs.ts")).logs,
  },
  {
    name: "doctor",
    summary: "Check this machine and the data folder, and say how to fix what is wrong",
    load: async () => (await import("./doctor.ts")).doctor,
  },
  {
    name: "test",
    summary: "Run everything that can be checked on this machine",
    load: async () => (await import("./test.ts")).test,
  },
  {
    name: "bench",
    summary: "Measure signatures, keys, approvals and storage, and compare with the targets",
    load: async () => (await import("./bench.ts")).bench,
  },
  {
    name: "supervise",
    summary: "Supervise a local network for the `up --detach` that started this process",
    internal: true,
    load: async () => (await import("./supervise.ts")).supervise,
  },
];
