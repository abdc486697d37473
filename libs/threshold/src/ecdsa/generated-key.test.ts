import assert from "node:assert/strict";
import { before, test } from "node:test";
import { sha256 } from "@countersign/bytes";
import { secp256k1 as noble } from "@noble/curves/secp256k1.js";
import { prepareCurves } from "../curves/prepare-curves.ts";
import type { PartyIndex } from "../delivery.ts";
import type { KeyShare } from "../key-share.ts";
import { keygenNetwork, outcomeOf, runKeygen } from "../keygen/testing/keygen-network.ts";
import type { Link } from "../links/link.ts";
import { linkGate } from "../links/link-gate.ts";
import { establishedPair, linkNetwork } from "../links/testing/link-network.ts";
import { systemRng } from "../testing/system-rng.ts";
import { combineEcdsa } from "./combine.ts";
import { deriveKey } from "./derivation.ts";
import { ecdsaKeyContext } from "./signing-session.ts";
import { combination, runEcdsa } from "./testing/ecdsa-network.ts";

before(() => prepareCurves(systemRng));

const suite = "DKLS23-secp256k1-SHA256-v1";
const PAIRS: readonly (readonly [PartyIndex, PartyIndex])[] = [
  [1, 2],
  [1, 3],
  [2, 3],
];

test("links that nodes set up, a key that they generate over them, and signatures by every quorum", async () => {
  // Given links between each two of three nodes, node ids in no particular order.
  const ids = ["tokyo", "amsterdam", "zürich"];
  const links = new Map([1, 2, 3].map((party) => [party, new Map<PartyIndex, Link>()] as const));
  for (const [one, other] of PAIRS) {
    const nodeIds = [ids[one - 1] ?? "", ids[other - 1] ?? ""] as const;
    const [first, second] = await establishedPair(linkNetwork({ nodeIds }));
    links.get(one)?.set(other, first.link);
    links.get(other)?.set(one, second.link);
  }

  // When they generate a key.
  const network = keygenNetwork({ threshold: 2, partyCount: 3, suite });
  const chainCodes: Uint8Array[] = [];
  const outcomes = await runKeygen(network, {
    options: (party, options) => ({
      ...options,
      stage: async (_share, _acknowledgement, chainCode) => {
        chainCodes.push(chainCode.slice());
      },
      links: new Map([...(links.get(party) ?? [])].map(([peer, link]) => [peer, link.fingerprints] as const)),
    }),
  });

  // Then any two of them sign under a key derived from it.
  const [chainCode = assert.fail("No chain code.")] = chainCodes;
  const shares: KeyShare[] = [1, 2, 3].map((party) => outcomeOf(outcomes, party).key?.share ?? assert.fail("No key."));
  const key = shares[0]?.public ?? assert.fail("No key.");
  const store = { isActive: async () => true, storeBan: async () => assert.fail("banned") };
  const gates = new Map(
    [...links].map(([party, ofParty]) => [
      party,
      new Map([...ofParty].map(([peer, link]) => [peer, linkGate(link, store)] as const)),
    ]),
  );
  for (const quorum of PAIRS) {
    const digest = sha256(systemRng(8));
    const run = await runEcdsa(
      {
        key: { public: key, shares, chainCode },
        identities: network.identities,
        keyContext: ecdsaKeyContext(key, network.terms.members),
        gates,
        bans: [],
      },
      quorum,
      { digests: [digest], path: [44, 0] },
    );

    const { r, s } = combineEcdsa(combination(run));

    const root = key.commitments[0] ?? assert.fail("No public key.");
    const { publicKey } = deriveKey(root, chainCode, [44, 0]);
    assert.ok(noble.verify(new Uint8Array([...r, ...s]), digest, publicKey, { prehash: false, lowS: true }));
  }
});

test("the context of a key depends on everything that it binds", () => {
  const key = { keyId: "key-a", epoch: 0, threshold: 2 };
  const members = [1, 2, 3].map((index) => ({ index, identityKey: new Uint8Array(32).fill(index) }));
  const rotated = members.map((member, place) =>
    place === 1 ? { ...member, identityKey: new Uint8Array(32) } : member,
  );
  const contexts = [
    ecdsaKeyContext(key, members),
    ecdsaKeyContext({ ...key, keyId: "key-b" }, members),
    ecdsaKeyContext({ ...key, epoch: 1 }, members),
    ecdsaKeyContext({ ...key, threshold: 3 }, members),
    ecdsaKeyContext(key, members.slice(0, 2)),
    ecdsaKeyContext(key, rotated),
  ];

  assert.equal(new Set(contexts.map((context) => Buffer.from(context).toString("hex"))).size, contexts.length);
});
