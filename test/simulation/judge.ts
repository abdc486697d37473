import assert from "node:assert/strict";
import type { Evidence } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import type { SignResponse } from "@countersign/proto/signer";
import type { Signed } from "@countersign/service-orchestrator";
import type { CertifiedKey } from "@countersign/wire";
import { ed25519 } from "@noble/curves/ed25519.js";
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** A partial as it left a signer. */
interface Release {
  readonly party: number;
  readonly session: string;
  readonly own: string;
  readonly packageHash: string;
}

/**
 * Judges a history by the invariants of the drills, with arithmetic that is not the network's: I1 (a returned signature is on the
 * approved message), I2 (no nonce in two outputs), I3 (nothing without approval), and the attempt cap per approval and signer.
 */
export class Judge {
  readonly #releases: Release[] = [];
  readonly #attempts = new Map<string, number>();
  readonly #nonces = new Map<string, string>();

  /** Notes what a signer released for an approval. */
  released(party: number, session: Uint8Array, evidence: Evidence, { partials }: SignResponse): void {
    for (const { scheme } of partials) {
      assert.equal(scheme.case, "schnorr");
      if (scheme.case !== "schnorr") continue;
      const own = scheme.value.commitments.map(({ body }) => hex(body)).join();
      const packageHash = hex(scheme.value.packageHash);
      this.#releases.push({ party, session: hex(session), own, packageHash });
    }
    const counted = `${party} ${hex(evidence.nonce)}`;
    this.#attempts.set(counted, (this.#attempts.get(counted) ?? 0) + 1);
  }

  /** Notes the nonce commitments that a party made in a session: I2. */
  committed(party: number, session: Uint8Array, commitments: Uint8Array): void {
    const nonce = `${party} ${hex(commitments)}`;
    const before = this.#nonces.get(nonce);
    assert.ok(before === undefined || before === hex(session), `Party ${party} used a nonce in two sessions (I2)`);
    this.#nonces.set(nonce, hex(session));
  }

  /** Judges what a caller was given: I1. */
  returned(key: CertifiedKey, message: Uint8Array, merkleRoot: Uint8Array, { signatures }: Signed): void {
    assert.equal(signatures.length, 1);
    const [signature] = signatures;
    if (signature === undefined) return;
    assert.ok(
      isValid(key, message, merkleRoot, joined(signature.r, signature.s)),
      "A returned signature verifies (I1)",
    );
  }

  /** One session yields at most one package per party, and one approval at most `attemptsMax` releases per party. */
  conclude(attemptsMax: number): void {
    const packages = new Map<string, string>();
    for (const { party, session, packageHash } of this.#releases) {
      const place = `${party} ${session}`;
      assert.equal(packages.get(place) ?? packageHash, packageHash, `Party ${party} answered one session twice (I2)`);
      packages.set(place, packageHash);
    }
    for (const [place, count] of this.#attempts)
      assert.ok(count <= attemptsMax, `${place} was released ${count} times`);
  }
}

/** Verifies with noble alone; the taproot output key is recomputed from the internal key here. */
export function isValid(
  key: CertifiedKey,
  message: Uint8Array,
  merkleRoot: Uint8Array,
  signature: Uint8Array,
): boolean {
  const [internal] = key.package.commitments;
  if (internal === undefined) return false;
  if (key.package.suite === "FROST-ED25519-SHA512-v1")
    return ed25519.verify(signature, message, internal, { zip215: false });
  const x = internal.slice(1);
  const tag = sha256(new TextEncoder().encode("TapTweak"));
  const tweak = BigInt(`0x${hex(sha256(joined(tag, tag, x, merkleRoot)))}`);
  const even = secp256k1.Point.fromBytes(joined(Uint8Array.of(2), x));
  const output = even.add(secp256k1.Point.BASE.multiply(tweak)).toBytes(true).slice(1);
  return schnorr.verify(signature, message, output);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
