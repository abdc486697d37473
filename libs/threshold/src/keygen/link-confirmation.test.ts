import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { BODY_BYTES_MAX } from "@countersign/mesh";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import { lagrangeCoefficient } from "../schnorr/lagrange.ts";
import { systemRng } from "../testing/system-rng.ts";
import { judgeKeygen } from "./judge-messages.ts";
import { keygenRounds } from "./rounds.ts";
import { PARTIES_MAX } from "./terms.ts";
import { cheat, keygenNetwork, outcomeOf, runKeygen } from "./testing/keygen-network.ts";

before(() => prepareCurves(systemRng));

const suite = "DKLS23-secp256k1-SHA256-v1";

/** Rounds in which anything was sent. */
async function run(network: ReturnType<typeof keygenNetwork>, interference: Parameters<typeof runKeygen>[1] = {}) {
  const rounds = new Set<string>();
  const outcomes = await runKeygen(network, {
    ...interference,
    tap: (message, facts, receiver) => {
      rounds.add(facts.round);
      return interference.tap === undefined ? message : interference.tap(message, facts, receiver);
    },
  });
  return { outcomes, rounds };
}

describe("a key that is signed with over links", () => {
  test("is generated like any other, its shares interpolate to its public key", async () => {
    const { outcomes, rounds } = await run(keygenNetwork({ threshold: 2, partyCount: 3, suite }));

    const shares = [1, 3].map((party) => outcomeOf(outcomes, party).key?.share ?? assert.fail("There is a key."));
    const secret = shares
      .map(({ index, secret }) =>
        secp256k1.multiply(lagrangeCoefficient(secp256k1, [1, 3], index), secp256k1.decodeScalar(secret.expose())),
      )
      .reduce((a, b) => secp256k1.add(a, b));
    assert.deepEqual(secp256k1.multiplyBase(secret), shares[0]?.public.commitments[0]);
    assert.ok(rounds.has("links"));
  });

  test("needs no links round where it is of another kind", async () => {
    const { rounds } = await run(keygenNetwork({ threshold: 2, partyCount: 2 }));

    assert.deepEqual([...rounds], ["commit", "reveal", "echo", "share", "finish"]);
  });

  test("is not generated where the ends of a link differ: all stop before any share is dealt", async () => {
    for (const end of ["receiving", "sending"] as const) {
      const network = keygenNetwork({ threshold: 2, partyCount: 3, suite });
      const { outcomes, rounds } = await run(network, {
        options: (party, options) => {
          const own = options.links?.get(2);
          if (party !== 1 || own === undefined) return options;
          return { ...options, links: new Map(options.links).set(2, { ...own, [end]: systemRng(32) }) };
        },
      });

      for (const party of [1, 2, 3]) {
        const { error, staged } = outcomeOf(outcomes, party);
        assert.partialDeepStrictEqual({ ...(error as object) }, { code: "keygen_links_differ", culprits: [] });
        assert.match(String(error), /links 1-2 /);
        assert.ok(!staged);
      }
      assert.ok(!rounds.has("share"));
    }
  });

  test("a party that does not name all its links is convicted", async () => {
    for (const forge of [(body: Uint8Array) => body.slice(0, -1), (body: Uint8Array) => body.with(0, 7)]) {
      const network = keygenNetwork({ threshold: 2, partyCount: 3, suite });
      const tap = cheat(network, 2, ({ round, body }) => (round === "links" ? forge(body) : undefined));

      const { outcomes } = await run(network, { tap });

      const error = outcomeOf(outcomes, 1).error as { code: string; culprits: number[]; evidence: { messages: [] } };
      assert.equal(error.code, "keygen_message_malformed");
      assert.deepEqual(error.culprits, [2]);
      const judged = judgeKeygen({ ...network.terms, ...network.book }, error.evidence.messages);
      assert.deepEqual(judged?.culprits, [2]);
    }
  });

  test("is refused before anything is sent where a link is missing", async () => {
    const { outcomes } = await run(keygenNetwork({ threshold: 2, partyCount: 2, suite }), {
      options: (party, options) => (party === 1 ? { ...options, links: new Map() } : options),
    });

    assert.partialDeepStrictEqual({ ...(outcomeOf(outcomes, 1).error as object) }, { code: "link_missing" });
  });

  test("claims of the largest network fit the mesh and what a complaint may quote", () => {
    const { links, share } = keygenRounds(PARTIES_MAX, 2);

    assert.equal(links, 1 + 31 * 64);
    assert.ok(share > links && share <= BODY_BYTES_MAX);
  });
});
