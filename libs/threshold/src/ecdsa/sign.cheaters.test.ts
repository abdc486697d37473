import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { Secret } from "@countersign/bytes";
import fc from "fast-check";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import type { PartyIndex } from "../delivery.ts";
import { ProtocolAbort, type ThresholdErrorCode } from "../errors.ts";
import { linkGate } from "../links/link-gate.ts";
import { systemRng } from "../testing/system-rng.ts";
import { fromHex } from "../testing/vectors.ts";
import { combineEcdsa } from "./combine.ts";
import { ecdsaAbortClasses } from "./failures.ts";
import { PARTIAL_BYTES } from "./partial.ts";
import { REQUEST_BYTES } from "./round-one.ts";
import { ANSWER_MESSAGE_BYTES } from "./round-two.ts";
import type { SignEcdsaOptions } from "./sign.ts";
import {
  combination,
  type EcdsaCheats,
  type EcdsaRun,
  ecdsaNetwork,
  idealLink,
  runEcdsa,
  signWith,
} from "./testing/ecdsa-network.ts";

before(() => prepareCurves(systemRng));

/** Where the parts of a message begin (specification, section 3.d). */
const REQUEST = { sid: 0, fingerprint: 32, nonce: 64, commitment: 96, C: 128, xh: 8832, th: 8848 };
const ANSWER = { D: 0, at: 32, eta: 39_968, mu: 40_000, gammaU: 40_032, gammaV: 40_065, psi: 40_098 };
const OPENING = { publicShare: 40_130, R: 40_163, salt: 40_196 };

const ORDER = fromHex(secp256k1.order.toString(16));
const anyPoint = () => secp256k1.multiplyBase(secp256k1.randomScalar(systemRng));

const flip = (body: Uint8Array, at: number, change = 1) => {
  const changed = body.slice();
  changed[at] = (changed[at] ?? 0) ^ change;
  return changed;
};
const put = (body: Uint8Array, at: number, part: Uint8Array) => {
  const changed = body.slice();
  changed.set(part, at);
  return changed;
};

/** Party 2 changes what it sends in a round, to one receiver or to all. */
function cheatIn(round: "request" | "answer", change: (body: Uint8Array) => Uint8Array, to?: PartyIndex): EcdsaCheats {
  return {
    forge: (sent) =>
      sent.from === 2 && sent.round === `${round}-0` && (to === undefined || sent.to === to)
        ? change(sent.body)
        : undefined,
  };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

function reasonOf({ outcomes }: EcdsaRun, party: PartyIndex): ProtocolAbort {
  const outcome = outcomes.get(party);
  assert.ok(outcome?.status === "rejected", `party ${party} signed`);
  return outcome.reason;
}

/** What an honest party 1 makes of a cheating party 2: the code, its class, and whether the link was banned. */
async function expectAbort(code: ThresholdErrorCode, cheats: EcdsaCheats, network = ecdsaNetwork(2, 3)): Promise<void> {
  const reason = reasonOf(await runEcdsa(network, [1, 2], cheats), 1);
  assert.equal(reason.code, code, reason.message);
  const expected = ecdsaAbortClasses[code as keyof typeof ecdsaAbortClasses];
  assert.deepEqual(reason.culprits, expected.names === "culprit" ? [2] : []);
  assert.deepEqual(reason.suspects, expected.names === "suspect" ? [2] : []);
  assert.deepEqual(
    network.bans.filter((ban) => ban.startsWith("1>")),
    expected.bans ? [`1>2 ${code}`] : [],
  );
}

describe("a cheater's first message", () => {
  test("of another length is malformed", async () => {
    await expectAbort(
      "ecdsa_message_malformed",
      cheatIn("request", (body) => body.slice(1)),
    );
  });

  test("for another session or link is a difference of views, before CHECK-1 runs", async () => {
    // CHECK-1 would fail as well: the whole request is garbage behind these words.
    for (const at of [REQUEST.sid, REQUEST.sid + 31, REQUEST.fingerprint, REQUEST.fingerprint + 31])
      await expectAbort(
        "ecdsa_views_differ",
        cheatIn("request", (body) => flip(put(body, REQUEST.xh, new Uint8Array(16)), at)),
      );
  });

  test("with any change of nonce, C or its hashes fails CHECK-1 and bans", async () => {
    for (const at of [REQUEST.nonce, REQUEST.C, REQUEST.C + 8703, REQUEST.xh, REQUEST.th, REQUEST_BYTES - 1])
      await expectAbort(
        "ot_check_failed",
        cheatIn("request", (body) => flip(body, at)),
      );
  });

  test("that fails CHECK-1 lets no answer leave, also not to honest parties", async () => {
    const network = ecdsaNetwork(3, 3);
    const answers: string[] = [];
    const cheats = cheatIn("request", (body) => flip(body, REQUEST.xh), 1);

    await runEcdsa(network, [1, 2, 3], {
      forge: (sent) => {
        if (sent.round === "answer-0") answers.push(`${sent.from}>${sent.to}`);
        return cheats.forge?.(sent);
      },
    });

    assert.deepEqual(
      answers.filter((answer) => answer.startsWith("1>")),
      [],
    );
  });

  test("with another commitment to each receiver stops everyone at D, with no ban", async () => {
    const network = ecdsaNetwork(3, 3);

    const run = await runEcdsa(
      network,
      [1, 2, 3],
      cheatIn("request", (body) => flip(body, REQUEST.commitment), 3),
    );

    for (const party of [1, 3]) assert.equal(reasonOf(run, party).code, "ecdsa_views_differ");
    assert.deepEqual(network.bans, []);
  });
});

describe("a cheater's second message", () => {
  test("of another length is malformed", async () => {
    await expectAbort(
      "ecdsa_message_malformed",
      cheatIn("answer", (body) => body.slice(1)),
    );
  });

  test("under another D is a difference of views, before any other check", async () => {
    await expectAbort(
      "ecdsa_views_differ",
      cheatIn("answer", (body) => flip(flip(body, ANSWER.at), ANSWER.D)),
    );
  });

  test("with a value that is no canonical point or scalar is malformed", async () => {
    const changes: readonly (readonly [number, Uint8Array])[] = [
      [ANSWER.gammaU, new Uint8Array(33)],
      [ANSWER.gammaV, Uint8Array.of(4)],
      [ANSWER.psi, ORDER],
      [OPENING.publicShare, Uint8Array.of(0)],
      [OPENING.R, Uint8Array.of(7)],
    ];
    for (const [at, part] of changes)
      await expectAbort(
        "ecdsa_message_malformed",
        cheatIn("answer", (body) => put(body, at, part)),
      );
  });

  test("that opens another R or salt than was committed to convicts", async () => {
    await expectAbort(
      "ecdsa_commitment_mismatch",
      cheatIn("answer", (body) => put(body, OPENING.R, anyPoint())),
    );
    await expectAbort(
      "ecdsa_commitment_mismatch",
      cheatIn("answer", (body) => flip(body, OPENING.salt)),
    );
  });

  test("with any change of at, eta or mu fails CHECK-2 and bans", async () => {
    for (const at of [ANSWER.at + 31, ANSWER.eta - 1, ANSWER.eta + 31, ANSWER.mu, ANSWER.gammaU - 1])
      await expectAbort(
        "multiplication_check_failed",
        cheatIn("answer", (body) => flip(body, at)),
      );
  });

  test("with a correction or eta that is not below q counts as a failed CHECK-2", async () => {
    for (const at of [ANSWER.at, ANSWER.eta])
      await expectAbort(
        "multiplication_check_failed",
        cheatIn("answer", (body) => put(body, at, ORDER)),
      );
  });

  test("with another product of the nonce fails CHECK-3u, of the key share CHECK-3v", async () => {
    for (const at of [ANSWER.gammaU, ANSWER.gammaV, OPENING.publicShare])
      await expectAbort(
        "multiplication_check_failed",
        cheatIn("answer", (body) => put(body, at, anyPoint())),
      );
  });

  test("with another psi is found by the gate alone, which names nobody", async () => {
    const network = ecdsaNetwork(2, 2);
    const run = await runEcdsa(
      network,
      [1, 2],
      cheatIn("answer", (body) => put(body, ANSWER.psi, secp256k1.randomScalar(systemRng))),
    );

    assert.throws(() => combineEcdsa(combination(run)), { code: "ecdsa_signature_invalid" });
    assert.deepEqual(network.bans, []);
  });
});

describe("messages of another session", () => {
  test("are a difference of views in either round, and ban nobody", async () => {
    const network = ecdsaNetwork(2, 3);
    const before = new Map<string, Uint8Array>();
    await runEcdsa(network, [1, 2], {
      forge: ({ from, to, round, body }) => {
        before.set(`${from} ${to} ${round}`, body);
        return undefined;
      },
    });
    for (const round of ["request", "answer"] as const) {
      const theirs = before.get(`2 1 ${round}-0`) ?? assert.fail("Party 2 sent nothing.");
      const own = before.get(`1 2 ${round}-0`) ?? assert.fail("Party 1 sent nothing.");
      for (const replayed of [theirs, own])
        await expectAbort(
          "ecdsa_views_differ",
          cheatIn(round, () => replayed),
          network,
        );
    }
  });

  test("what this party said itself in this session is no message of another's", async () => {
    const network = ecdsaNetwork(2, 2);
    for (const round of ["request", "answer"] as const) {
      const own = Promise.withResolvers<Uint8Array>();
      const run = await runEcdsa(network, [1, 2], {
        delivery: (party, delivery) => ({
          ...delivery,
          send: async (name, to, body) => {
            if (name !== `${round}-0`) return await delivery.send(name, to, body);
            if (party === 1) own.resolve(body);
            return await delivery.send(name, to, party === 2 ? await own.promise : body);
          },
        }),
      });
      // A reflected request names the other direction's fingerprint, a reflected answer opens another commitment.
      const expected = round === "request" ? "ecdsa_views_differ" : "ecdsa_commitment_mismatch";
      assert.equal(reasonOf(run, 1).code, expected);
    }
    assert.deepEqual(network.bans, []);
  });
});

describe("parties that differ", () => {
  test("in the key share make no key, and nobody is banned", async () => {
    const network = ecdsaNetwork(2, 3);
    const other = { options: (party: PartyIndex, options: SignEcdsaOptions) => withShare(party, options) };

    const run = await runEcdsa(network, [1, 2], other);

    for (const party of [1, 2]) assert.equal(reasonOf(run, party).code, "ecdsa_keys_differ");
    assert.deepEqual(network.bans, []);
  });

  test("in any term of the session never get to CHECK-1, and nobody is banned", async () => {
    const word = new Uint8Array(32).fill(99);
    const terms: readonly Partial<SignEcdsaOptions>[] = [
      { deploymentId: "other" },
      { keyContext: word },
      { sessionId: word },
      { attempt: 2 },
      { evidenceHash: word },
      { organisationHead: word },
      { deploymentHead: word },
      { path: [1] },
      { digests: [word] },
    ];
    for (const differing of terms)
      await expectAbort("ecdsa_views_differ", {
        options: (party, options) => (party === 2 ? { ...options, ...differing } : options),
      });
  });

  test("in the link's epoch never get to CHECK-1, and nobody is banned", async () => {
    const [, renewed] = idealLink(1, 2, systemRng, 2);
    const gate = linkGate(renewed, { isActive: async () => true, storeBan: async () => assert.fail("banned") });

    await expectAbort("ecdsa_views_differ", {
      options: (party, options) => (party === 2 ? { ...options, links: new Map([[1, gate]]) } : options),
    });
  });

  test("in the zero-share seed make no key", async () => {
    const network = ecdsaNetwork(2, 2);
    const tau = new Uint8Array(32).fill(1);

    const run = await runEcdsa(network, [1, 2], {
      options: (party, options) => (party === 2 ? withTau(options, tau) : options),
    });

    // tau is part of the acknowledged digest, so that views differ before zero shares ever could.
    assert.equal(reasonOf(run, 1).code, "ecdsa_views_differ");
  });
});

describe("a caller that changes its bytes after the call", () => {
  test("changes nothing: what was checked is what gets signed", async () => {
    const network = ecdsaNetwork(2, 2);

    const run = await runEcdsa(network, [1, 2], {
      options: (_, options) => {
        const digests = options.digests.map((digest) => digest.slice());
        const evidenceHash = options.evidenceHash.slice();
        const pause = async () => {
          for (const bytes of [...digests, evidenceHash]) bytes.fill(0);
        };
        return { ...options, digests, evidenceHash, pause };
      },
    });

    combineEcdsa(combination(run));
  });
});

describe("refused before anything is drawn or sent", () => {
  const refused = async (code: string, options: (party: PartyIndex, options: SignEcdsaOptions) => SignEcdsaOptions) => {
    const sent: string[] = [];
    const run = await runEcdsa(ecdsaNetwork(2, 3), [1, 2], {
      options,
      forge: ({ from, round }) => {
        if (from === 1) sent.push(round);
        return undefined;
      },
    });
    assert.equal(reasonOf(run, 1).code, code);
    assert.deepEqual(sent, []);
  };

  test("a quorum of another size than t, or without this party's share", async () => {
    const run = await runEcdsa(ecdsaNetwork(2, 3), [1, 2, 3]);
    assert.equal(reasonOf(run, 1).code, "quorum_invalid");
    await refused("quorum_invalid", (_, options) => ({ ...options, share: { ...options.share, index: 3 } }));
  });

  test("no digests, too many, or one that is no 32 bytes", async () => {
    for (const digests of [[], Array.from({ length: 201 }, () => new Uint8Array(32)), [new Uint8Array(31)]])
      await refused("item_invalid", (_, options) => ({ ...options, digests }));
  });

  test("terms out of bounds, a hardened path, a key for another protocol", async () => {
    for (const attempt of [0, 1.5, 2 ** 32])
      await refused("session_terms_invalid", (_, options) => ({ ...options, attempt }));
    await refused("session_terms_invalid", (_, options) => ({ ...options, evidenceHash: new Uint8Array(31) }));
    await refused("path_invalid", (_, options) => ({ ...options, path: [2 ** 31] }));
    await refused("suite_unfit", (_, options) => {
      const key = { ...options.share.public, suite: "FROST-secp256k1-SHA256-TR-v1" as const };
      return { ...options, share: { ...options.share, public: key } };
    });
  });

  test("a path without the key's own chain code", async () => {
    for (const chainCode of [undefined, new Uint8Array(32)])
      await refused("key_share_inconsistent", (_, options) => {
        const { chainCode: _own, ...others } = options;
        return { ...others, path: [1], ...(chainCode && { chainCode }) };
      });
  });

  test("a link that is missing or banned", async () => {
    await refused("link_missing", (_, options) => ({ ...options, links: new Map() }));
    const [link] = idealLink(1, 2);
    const gate = linkGate(link, { isActive: async () => true, storeBan: async () => {} });
    await gate.ban("ot_check_failed");
    await refused("link_banned", (_, options) => ({ ...options, links: new Map([[2, gate]]) }));
  });
});

describe("a ban", () => {
  test("falls on every party whose check fails, and the abort names them all", async () => {
    const network = ecdsaNetwork(3, 4);

    const run = await runEcdsa(network, [1, 2, 4], {
      forge: ({ from, round, body }) => (from !== 1 && round === "request-0" ? flip(body, REQUEST.th) : undefined),
    });

    assert.deepEqual(reasonOf(run, 1).suspects, [2, 4]);
    assert.deepEqual(
      network.bans.filter((ban) => ban.startsWith("1>")),
      ["1>2 ot_check_failed", "1>4 ot_check_failed"],
    );
  });

  test("is stored before the abort is raised", async () => {
    const network = ecdsaNetwork(2, 2);
    const held = Promise.withResolvers<void>();
    let isRaised = false;
    const [link] = [network.gates.get(1)?.get(2)?.open() ?? assert.fail("There is a link.")];
    const gate = linkGate(link, { isActive: async () => true, storeBan: () => held.promise });

    const run = runEcdsa(network, [1, 2], {
      ...cheatIn("request", (body) => flip(body, REQUEST.xh)),
      options: (party, options) => (party === 1 ? { ...options, links: new Map([[2, gate]]) } : options),
    }).then((ended) => {
      isRaised = true;
      return ended;
    });
    // The run's own deadline passes with the next turn of the event loop; the ban is still being stored then.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!isRaised);
    held.resolve();

    assert.equal(reasonOf(await run, 1).code, "ot_check_failed");
  });

  test("that cannot be stored is what the caller hears of, and the link stays shut", async () => {
    const network = ecdsaNetwork(2, 2);
    const [link] = [network.gates.get(1)?.get(2)?.open() ?? assert.fail("There is a link.")];
    const gate = linkGate(link, { isActive: async () => true, storeBan: () => Promise.reject(new Error("disk full")) });

    const run = await runEcdsa(network, [1, 2], {
      ...cheatIn("request", (body) => flip(body, REQUEST.xh)),
      options: (party, options) => (party === 1 ? { ...options, links: new Map([[2, gate]]) } : options),
    });

    assert.equal(reasonOf(run, 1).message, "disk full");
    assert.throws(() => gate.open(), { code: "link_banned" });
  });

  test("shuts the link at the first failed check, while the other items are still looked at", async () => {
    const network = ecdsaNetwork(2, 2);
    const failed = Promise.withResolvers<void>();
    let answers = 0;
    const forge: EcdsaCheats["forge"] = ({ from, round }) => {
      if (from === 1 && round.startsWith("answer")) answers++;
      return undefined;
    };
    const long = runEcdsa(network, [1, 2], {
      digests: Array.from({ length: 20 }, () => systemRng(32)),
      forge: (sent) => (sent.from === 2 && sent.round === "request-0" ? flip(sent.body, REQUEST.xh) : forge?.(sent)),
      options: (party, options) => {
        if (party !== 1) return options;
        // One pause after each item's secrets, request and look at its session: the next one follows the check that fails.
        let pauses = 0;
        const pause = async () => {
          pauses++;
          if (pauses === 3 * 20 + 1) failed.resolve();
          if (pauses > 3 * 20) await nextTurn();
        };
        return { ...options, pause };
      },
    });
    const others = Array.from({ length: 6 }, () =>
      runEcdsa(network, [1, 2], {
        forge,
        delivery: (party, delivery) => ({
          ...delivery,
          send: async (name, to, body) => {
            if (party === 2 && name === "request-0") await failed.promise;
            return await delivery.send(name, to, body);
          },
        }),
      }),
    );

    assert.equal(reasonOf(await long, 1).code, "ot_check_failed");
    for (const run of await Promise.all(others)) assert.equal(reasonOf(run, 1).code, "link_banned");
    assert.equal(answers, 0);
    assert.deepEqual(network.bans, ["1>2 ot_check_failed"]);
  });

  test("is stored also when something else ends the session before the last item", async () => {
    for (const peerBanned of [false, true]) {
      const network = ecdsaNetwork(3, 3);
      const other = network.gates.get(1)?.get(3) ?? assert.fail("There is a gate.");
      const link = network.gates.get(1)?.get(2)?.open() ?? assert.fail("There is a link.");
      const held = Promise.withResolvers<void>();
      const gate = linkGate(link, { isActive: async () => true, storeBan: () => held.promise });
      let isRaised = false;

      const run = runEcdsa(network, [1, 2, 3], {
        ...cheatIn("request", (body) => flip(body, REQUEST.xh), 1),
        options: (party, options) => {
          if (party !== 1) return options;
          // The sixth pause follows the failed check of party 2.
          let pauses = 0;
          const pause = async () => {
            if (++pauses !== 6) return;
            if (!peerBanned) throw new Error("stopped");
            await other.ban("multiplication_check_failed");
          };
          const links = new Map([
            [2, gate],
            [3, other],
          ]);
          return { ...options, links, pause };
        },
      }).then((ended) => {
        isRaised = true;
        return ended;
      });
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      assert.ok(!isRaised);
      held.resolve();

      assert.match(String(reasonOf(await run, 1)), peerBanned ? /banned/ : /stopped/);
      assert.throws(() => gate.open(), { code: "link_banned" });
    }
  });

  test("that cannot be stored does not keep the caller from waiting for the others", async () => {
    const network = ecdsaNetwork(3, 3);
    const held = Promise.withResolvers<void>();
    const stored: string[] = [];
    const linkWith = (peer: PartyIndex) => network.gates.get(1)?.get(peer)?.open() ?? assert.fail("There is a link.");
    const links = new Map([
      [
        2,
        linkGate(linkWith(2), { isActive: async () => true, storeBan: () => Promise.reject(new Error("disk full")) }),
      ],
      [
        3,
        linkGate(linkWith(3), {
          isActive: async () => true,
          storeBan: async () => {
            await held.promise;
            stored.push("3");
          },
        }),
      ],
    ]);

    const run = runEcdsa(network, [1, 2, 3], {
      forge: ({ from, round, body }) => (from !== 1 && round === "request-0" ? flip(body, REQUEST.th) : undefined),
      options: (party, options) => (party === 1 ? { ...options, links } : options),
    });
    let storedAtEnd: readonly string[] | undefined;
    const ended = run.then(() => {
      storedAtEnd = [...stored];
    });
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    held.resolve();
    await ended;

    assert.equal(reasonOf(await run, 1).message, "disk full");
    assert.deepEqual(storedAtEnd, ["3"]);
  });

  test("ends every other session on the link, and leaves other links alone", async () => {
    const network = ecdsaNetwork(2, 3);
    await runEcdsa(
      network,
      [1, 2],
      cheatIn("request", (body) => flip(body, REQUEST.xh)),
    );

    const again = await runEcdsa(network, [1, 2]);

    assert.equal(reasonOf(again, 1).code, "link_banned");
    await signWith(network, [1, 3]);
    await signWith(network, [2, 3]);
  });

  test("of 64 sessions at once that all cheat lets at most one answer leave", async () => {
    const network = ecdsaNetwork(2, 2);
    let answers = 0;

    const runs = await Promise.all(
      Array.from({ length: 64 }, () =>
        runEcdsa(network, [1, 2], {
          forge: ({ from, round, body }) => {
            if (from === 1 && round === "answer-0") answers++;
            return from === 2 && round === "request-0" ? flip(body, REQUEST.xh) : undefined;
          },
        }),
      ),
    );

    assert.ok(answers <= 1, `${answers} answers left`);
    for (const run of runs) assert.match(reasonOf(run, 1).code, /^(ot_check_failed|link_banned)$/);
    assert.deepEqual(
      network.bans.filter((ban) => ban.startsWith("1>")),
      ["1>2 ot_check_failed"],
    );
  });

  test("keeps back the partials of a session whose own checks passed", async () => {
    const network = ecdsaNetwork(2, 2);
    const gate = network.gates.get(1)?.get(2) ?? assert.fail("There is a gate.");

    const run = await runEcdsa(network, [1, 2], {
      options: (party, options) => {
        if (party !== 1) return options;
        // Another session's check fails while this one's partial is ready.
        let pauses = 0;
        const pause = async () => {
          if (++pauses === 9) await gate.ban("multiplication_check_failed");
        };
        return { ...options, pause };
      },
    });

    assert.equal(reasonOf(run, 1).code, "link_banned");
    assert.equal(run.outcomes.get(2)?.status, "fulfilled");
  });

  test("keeps back the answer of a session whose own checks passed", async () => {
    const network = ecdsaNetwork(2, 2);
    const gate = network.gates.get(1)?.get(2) ?? assert.fail("There is a gate.");
    let answers = 0;

    const run = await runEcdsa(network, [1, 2], {
      forge: ({ from, round }) => {
        if (from === 1 && round === "answer-0") answers++;
        return undefined;
      },
      options: (party, options) => {
        if (party !== 1) return options;
        // Another session's check fails while this one makes its answer.
        let pauses = 0;
        const pause = async () => {
          if (++pauses === 6) await gate.ban("ot_check_failed");
        };
        return { ...options, pause };
      },
    });

    assert.equal(reasonOf(run, 1).code, "link_banned");
    assert.equal(answers, 0);
  });
});

describe("any byte of any message that party 2 changes", () => {
  const cases: readonly (readonly ["request" | "answer", number])[] = [
    ["request", REQUEST_BYTES],
    ["answer", ANSWER_MESSAGE_BYTES],
  ];
  for (const [round, size] of cases)
    test(`in round "${round}" leads to no signature and to the class that its code has`, async () => {
      const places = fc.oneof(
        fc.nat({ max: size - 1 }),
        fc.nat({ max: 300 }).map((back) => size - 1 - back),
      );
      await fc.assert(
        fc.asyncProperty(places, fc.integer({ min: 1, max: 255 }), async (at, change) => {
          const network = ecdsaNetwork(2, 2);
          const run = await runEcdsa(
            network,
            [1, 2],
            cheatIn(round, (body) => flip(body, at, change)),
          );

          const outcome = run.outcomes.get(1);
          const code = outcome?.status === "rejected" ? outcome.reason.code : codeOfCombination(run);
          const expected = ecdsaAbortClasses[code as keyof typeof ecdsaAbortClasses];
          assert.ok(expected !== undefined, `byte ${at}: ${code}`);
          assert.deepEqual(
            network.bans.filter((ban) => ban.startsWith("1>")),
            expected.bans ? [`1>2 ${code}`] : [],
          );
        }),
        { numRuns: 40 },
      );
    });
});

describe("partials", () => {
  test("that are missing, cut or not canonical name their party", async () => {
    const run = await runEcdsa(ecdsaNetwork(2, 2), [1, 2]);
    const options = combination(run);
    const good = options.partials.get(2) ?? assert.fail("There is a partial.");
    const bad = [
      undefined,
      good.slice(1),
      put(good, 96, new Uint8Array(33)),
      put(good, 129, ORDER),
      put(good, 161, ORDER),
    ];
    for (const partial of bad) {
      const partials = new Map(options.partials);
      if (partial === undefined) partials.delete(2);
      else partials.set(2, partial);
      assert.throws(() => combineEcdsa({ ...options, partials }), { code: "partial_invalid", suspects: [2] });
    }
  });

  test("of another session, request or nonce make no signature", async () => {
    const run = await runEcdsa(ecdsaNetwork(2, 2), [1, 2]);
    const options = combination(run);
    const good = options.partials.get(2) ?? assert.fail("There is a partial.");
    for (const changed of [flip(good, 0), flip(good, 32), flip(good, 64), put(good, 96, anyPoint())])
      assert.throws(() => combineEcdsa({ ...options, partials: new Map(options.partials).set(2, changed) }), {
        code: "partials_differ",
      });
    // The same for a combiner whose own view is another.
    for (const differing of [
      { evidenceHash: systemRng(32) },
      { attempt: 2 },
      { digests: [systemRng(32)] },
      { path: [3] },
      { tweak: secp256k1.scalarFromNumber(1) },
    ])
      assert.throws(() => combineEcdsa({ ...options, ...differing }), { code: "partials_differ" });
  });

  test("with another u or w make no signature", async () => {
    const run = await runEcdsa(ecdsaNetwork(2, 2), [1, 2]);
    const options = combination(run);
    const good = options.partials.get(2) ?? assert.fail("There is a partial.");
    for (const at of [PARTIAL_BYTES - 64, PARTIAL_BYTES - 32]) {
      const partials = new Map(options.partials).set(2, put(good, at, secp256k1.randomScalar(systemRng)));
      assert.throws(() => combineEcdsa({ ...options, partials }), { code: "ecdsa_signature_invalid", suspects: [] });
    }
  });

  test("an item that the session has not is a bug of the caller", async () => {
    const options = combination(await runEcdsa(ecdsaNetwork(2, 2), [1, 2]));
    assert.throws(() => combineEcdsa({ ...options, itemIndex: 1 }), RangeError);
  });
});

function codeOfCombination(run: EcdsaRun): string {
  try {
    combineEcdsa(combination(run));
    return "a signature";
  } catch (error) {
    return error instanceof ProtocolAbort ? error.code : String(error);
  }
}

/** Party 2 signs with a share that is not its own. */
function withShare(party: PartyIndex, options: SignEcdsaOptions): SignEcdsaOptions {
  if (party !== 2) return options;
  const secret = new Secret(secp256k1.randomScalar(systemRng));
  return { ...options, share: { ...options.share, secret } };
}

function withTau(options: SignEcdsaOptions, tau: Uint8Array): SignEcdsaOptions {
  return { ...options, share: { ...options.share, public: { ...options.share.public, tau } } };
}
