import type { PartyIndex, Rng } from "../../delivery.ts";
import type { SuiteName } from "../../key-share.ts";
import { systemRng } from "../../testing/system-rng.ts";
import { fromHex, readVectors } from "../../testing/vectors.ts";

interface PublishedParticipant {
  readonly signing_key: string;
  readonly coefficient: string;
  readonly vss_commitments: readonly string[];
  readonly proof_of_knowledge: string;
  readonly signing_shares: Readonly<Record<string, string>>;
  readonly verifying_share: string;
  readonly signing_share: string;
}

interface PublishedVectors {
  readonly inputs: { readonly verifying_key: string } & Readonly<Record<"1" | "2" | "3", PublishedParticipant>>;
}

/** One participant of the published key generation, 2 of 3. */
export interface VectorParty {
  readonly index: PartyIndex;
  /** a_0, a_1. */
  readonly coefficients: readonly Uint8Array[];
  readonly commitments: readonly Uint8Array[];
  readonly R: Uint8Array;
  readonly mu: Uint8Array;
  /** f_j(i) by dealer j. */
  readonly received: ReadonlyMap<PartyIndex, Uint8Array>;
  /** TR: after even-y normalisation and the empty-root tweak. */
  readonly verificationShare: Uint8Array;
  /** TR: likewise. */
  readonly share: Uint8Array;
}

/** A published key generation. */
export interface DkgVectors {
  readonly suite: SuiteName;
  /** TR: likewise. */
  readonly publicKey: Uint8Array;
  readonly parties: readonly VectorParty[];
}

/** ZcashFoundation's vectors of key generation, made without a context. */
export function dkgVectors(): readonly DkgVectors[] {
  return [
    read("FROST-ED25519-SHA512-v1", "frost/frost-ed25519.vectors_dkg.json"),
    read("FROST-secp256k1-SHA256-TR-v1", "frost/frost-secp256k1-tr.vectors_dkg.json"),
  ];
}

/** Gives the listed values first, then the system's randomness. */
export function recordedRng(values: readonly Uint8Array[]): Rng {
  const left = [...values];
  return (size) => new Uint8Array(left.shift() ?? systemRng(size));
}

function read(suite: SuiteName, path: string): DkgVectors {
  const { inputs } = readVectors<PublishedVectors>(path);
  const parties = (["1", "2", "3"] as const).map((name): VectorParty => {
    const published = inputs[name];
    const proof = fromHex(published.proof_of_knowledge);
    const R = proof.subarray(0, 32);
    return {
      index: Number(name),
      coefficients: [fromHex(published.signing_key), fromHex(published.coefficient)],
      commitments: published.vss_commitments.map(fromHex),
      // The TR file prints the x coordinate; a proof's R has even y.
      R: suite === "FROST-secp256k1-SHA256-TR-v1" ? Uint8Array.of(2, ...R) : R,
      mu: proof.subarray(32),
      received: new Map(
        Object.entries(published.signing_shares).map(([from, share]) => [Number(from), fromHex(share)]),
      ),
      verificationShare: fromHex(published.verifying_share),
      share: fromHex(published.signing_share),
    };
  });
  return { suite, publicKey: fromHex(inputs.verifying_key), parties };
}
