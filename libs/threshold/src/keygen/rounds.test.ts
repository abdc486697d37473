import assert from "node:assert/strict";
import { before, test } from "node:test";
import { BODY_BYTES_MAX, encodeHeader } from "@countersign/mesh";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { systemRng } from "../testing/system-rng.ts";
import { encodeEcho } from "./encoding.ts";
import { HEADER_SIZE_MAX, type KeygenRound, keygenRounds } from "./rounds.ts";
import { PARTIES_MAX } from "./terms.ts";
import { cheat, keygenNetwork, runKeygen } from "./testing/keygen-network.ts";

const ROUNDS: readonly KeygenRound[] = ["commit", "reveal", "echo", "share", "finish"];

before(() => prepareCurves(systemRng));

test("the longest message of the largest key fits the mesh", () => {
  const rounds = keygenRounds(PARTIES_MAX, PARTIES_MAX);

  for (const round of ROUNDS) assert.ok(rounds[round] <= BODY_BYTES_MAX, round);
});

test("bounds exist only for keys that may exist", () => {
  for (const [partyCount, threshold] of [
    [3, 1],
    [3, 4],
    [PARTIES_MAX + 1, 2],
  ] as const)
    assert.throws(() => keygenRounds(partyCount, threshold), { code: "keygen_terms_invalid" });
});

test("a header never outgrows what a complaint can quote", () => {
  const party = 2 ** 32 - 1;
  const header = encodeHeader({
    sessionId: systemRng(32),
    sessionDigest: systemRng(32),
    round: "r".repeat(32),
    from: party,
    to: party,
  });

  assert.ok(header.length <= HEADER_SIZE_MAX);
});

test("everything honest parties send is within its round's bound, the longest dispute included", async () => {
  for (const suite of ["FROST-ED25519-SHA512-v1", "FROST-secp256k1-SHA256-TR-v1"] as const) {
    const network = keygenNetwork({ threshold: 4, partyCount: 5, suite });
    const rounds = keygenRounds(5, 4);
    const sizes = new Map<string, number>();
    const lie = cheat(network, 5, ({ round }) => (round === "echo" ? encodeEcho(systemRng(32)) : undefined));

    await runKeygen(network, {
      tap: (message, facts, receiver) => {
        sizes.set(facts.round, Math.max(sizes.get(facts.round) ?? 0, message.body.length));
        return lie(message, facts, receiver);
      },
    });

    assert.deepEqual([...sizes.keys()], ["commit", "reveal", "echo", "share"]);
    for (const round of ROUNDS) assert.ok((sizes.get(round) ?? 0) <= rounds[round], round);
  }
});
