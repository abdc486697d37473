import type { Statistic } from "./figure.ts";

/** One row of the table: what is measured and what is to be reached. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  /** One line, for people. */
  readonly what: string;
  /** Where architecture section 12 sets one: at most, or at least. */
  readonly target?: { readonly atMost: number } | { readonly atLeast: number };
  /** Statistic over the samples. Default: median. */
  readonly statistic?: Statistic;
}

/** Every row, in the order of the table. The names are a contract: documents, tests and drills rely on them. */
export const ROWS = [
  {
    name: "eddsa.sign.2of3.cpu_ms",
    unit: "ms",
    what: "Ed25519 signature, 2 of 3: CPU of both parties' protocol functions",
    target: { atMost: 5 },
  },
  { name: "eddsa.sign.3of5.cpu_ms", unit: "ms", what: "Ed25519 signature, 3 of 5: CPU of the three parties" },
  {
    name: "eddsa.combine.2of3.cpu_ms",
    unit: "ms",
    what: "Ed25519 shares of 2 of 3 combined and verified: CPU of the orchestrator",
  },
  { name: "eddsa.keygen.2of3.cpu_ms", unit: "ms", what: "new Ed25519 key, 2 of 3: CPU of all three parties" },
  { name: "schnorr.sign.2of3.cpu_ms", unit: "ms", what: "BIP-340 signature, 2 of 3: CPU of both parties" },
  { name: "schnorr.keygen.2of3.cpu_ms", unit: "ms", what: "new secp256k1 key, 2 of 3: CPU of all three parties" },
  {
    name: "ecdsa.sign.2of3.cpu_ms",
    unit: "ms",
    what: "ECDSA signature, 2 of 3: CPU of both parties' protocol functions and the combiner",
    target: { atMost: 8 },
  },
  {
    name: "ecdsa.sign.3of5.cpu_ms",
    unit: "ms",
    what: "ECDSA signature, 3 of 5: CPU of the three parties and the combiner",
    target: { atMost: 22 },
  },
  {
    name: "ecdsa.sign.bytes_per_pair",
    unit: "bytes",
    what: "ECDSA signature: protocol bytes from one party to another and to the combiner",
    target: { atMost: 53_248 },
  },
  {
    name: "ecdsa.keygen.2of3.cpu_ms",
    unit: "ms",
    what: "new ECDSA key over links that exist, 2 of 3: CPU of all three parties",
    target: { atMost: 25 },
  },
  {
    name: "link.setup.cpu_ms",
    unit: "ms",
    what: "link between two nodes, both directions: CPU of both, once per pair of nodes",
    target: { atMost: 600 },
  },
  {
    name: "authorize.cpu_ms",
    unit: "ms",
    what: "evidence check in a signer, Ed25519 credential (the samples of authorize.ed25519.cpu_ms)",
    target: { atMost: 0.4 },
  },
  { name: "authorize.ed25519.cpu_ms", unit: "ms", what: "the same", target: { atMost: 0.4 } },
  {
    name: "authorize.p256.cpu_ms",
    unit: "ms",
    what: "evidence check in a signer, P-256 credential",
    target: { atMost: 1 },
  },
  {
    name: "store.bytes_per_key",
    unit: "bytes",
    what: "a key's own records in each signer's store: names and values of the rows that live as long as the key",
    target: { atMost: 2_048 },
  },
  {
    name: "store.file_bytes_per_key",
    unit: "bytes",
    what: "growth of a signer's database file per generated key: also audit entries, replay guards, unused parts of pages",
  },
  {
    name: "store.transactions_per_signature",
    unit: "transactions",
    what: "durable transactions per signature and signer, one request after another",
    target: { atMost: 1 },
  },
  {
    name: "network.eddsa.p50_ms",
    unit: "ms",
    what: "Ed25519 signature, orchestrator RPC to answer, one in flight",
    target: { atMost: 10 },
  },
  {
    name: "network.eddsa.p99_ms",
    unit: "ms",
    what: "99th percentile of the same requests",
    statistic: "p99",
  },
  {
    name: "network.eddsa.sustained_per_s",
    unit: "1/s",
    what: "Ed25519 signatures a second, 16 in flight",
    target: { atLeast: 180 },
  },
  {
    name: "network.eddsa.cpu_ms",
    unit: "ms",
    what: "CPU of all services together per signature, in the same requests",
  },
  { name: "network.keygen.p50_ms", unit: "ms", what: "new Ed25519 key by all three nodes, orchestrator RPC to answer" },
  {
    name: "api.eddsa.p50_ms",
    unit: "ms",
    what: "Ed25519 signature through the API with its approval: three HTTP requests",
  },
] as const satisfies readonly Row[];

export type RowName = (typeof ROWS)[number]["name"];

/** Takes the samples of a row. */
export type RecordSamples = (row: RowName, samples: readonly number[]) => void;

/** Rows that need a network of real processes. */
export const NETWORK_ROWS: readonly RowName[] = [
  "network.eddsa.p50_ms",
  "network.eddsa.p99_ms",
  "network.eddsa.sustained_per_s",
  "network.eddsa.cpu_ms",
  "network.keygen.p50_ms",
  "api.eddsa.p50_ms",
];
