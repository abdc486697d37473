import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Evidence } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import type { CertifiedKey } from "@countersign/wire";
import type { Lease } from "./coordination/coordination.ts";
import { KeyDirectory } from "./key-directory.ts";
import { signRequest } from "./sign-request.ts";
import { remote, TestSigners } from "./testing/test-signers.ts";

let signers: TestSigners;
let key: CertifiedKey;
let keys: KeyDirectory;
beforeEach(async () => {
  signers = await TestSigners.start();
  key = await signers.makeKey();
  keys = new KeyDirectory(signers.network);
});

function sign(evidence = signers.approveSignature(key.package.keyId), deadlineMs = 10_000, network = signers.network) {
  const signal = new AbortController().signal;
  return signers.settle(signRequest(network, keys, evidence, { signal, deadlineMs }));
}

function failing(party: number, error: unknown): void {
  signers.behaviour.set(party, {
    sign: async () => {
      throw error;
    },
  });
}

function asked(method: string): string[] {
  return signers.calls.filter((call) => call.startsWith(method));
}

test("the nearest quorum signs, in one attempt", async () => {
  const { signatures, attempts, parties } = await sign();

  assert.equal(signatures.length, 1);
  assert.deepEqual([attempts, parties], [1, [1, 2]]);
});

test("a node that refuses costs one attempt, and is not asked again for this request", async () => {
  failing(1, remote("approval_expired", "refusal"));

  const { attempts, parties } = await sign();

  assert.deepEqual([attempts, parties], [2, [2, 3]]);
  assert.deepEqual(asked("sign"), ["sign 1", "sign 2", "sign 2", "sign 3"]);
  assert.deepEqual([...new Set(signers.sessions.map(({ sessionId }) => hex(sessionId)))].length, 2);
});

test("a faulty node is tried last, yet again when no other is left", async () => {
  signers.away.add(3);
  let failures = 1;
  const right = signers.network.signers.get(1);
  assert.ok(right !== undefined);
  signers.behaviour.set(1, {
    sign: async (request, options) => {
      if (failures-- > 0) throw remote("rpc_unavailable");
      signers.behaviour.delete(1);
      return right.sign(request, options);
    },
  });

  const { attempts, parties } = await sign();

  assert.deepEqual([attempts, parties], [2, [1, 2]]);
});

/** Every lie by which one node can make an attempt fail without failing it itself, as the others and the orchestrator see it. */
const LIES: Readonly<Record<string, (liar: number, peer: number) => void>> = {
  "accuses its peer of silence at once": (liar, peer) =>
    failing(liar, remote("session_deadline", "outage", { silent: [peer] })),
  "accuses its peer of silence when the time is nearly up": (liar, peer) => {
    late(liar, remote("session_deadline", "outage", { silent: [peer] }), 1_349);
    late(peer, remote("session_deadline", "outage", { silent: [liar] }), 1_351);
  },
  "says that it was cancelled": (liar) => failing(liar, remote("session_cancelled")),
  "accuses its peer of cheating": (liar, peer) => failing(liar, remote("share_invalid", "abort", { culprits: [peer] })),
  "sends its peer a signed message that is wrong, and waits": (liar, peer) => {
    failing(peer, remote("commitment_invalid", "abort", { culprits: [liar] }));
    signers.behaviour.set(liar, { sign: (_request, { signal }) => aborted(signal) });
  },
};

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(remote("rpc_cancelled")), { once: true });
  });
}

function late(party: number, error: unknown, afterMs: number): void {
  signers.behaviour.set(party, {
    sign: () => new Promise((_resolve, reject) => signers.clock.setTimer(afterMs, () => reject(error))),
  });
}

for (const [lie, tell] of Object.entries(LIES))
  test(`a node that ${lie} costs attempts, and the healthy quorum signs`, async () => {
    const LIAR = 1;
    // The lie concerns whoever shares a session with the liar; in its absence everybody is honest.
    const right = new Map(signers.network.signers);
    const told = new Map(
      [...right].map(([party, client]) => {
        const sign: typeof client.sign = (request, options) => {
          const parties = request.session?.parties ?? [];
          const peer = parties.find((one) => one !== LIAR) ?? 0;
          if (!parties.includes(LIAR)) signers.behaviour.clear();
          else tell(LIAR, peer);
          return client.sign(request, options);
        };
        return [party, { ...client, sign }] as const;
      }),
    );

    const { parties } = await sign(undefined, 10_000, { ...signers.network, signers: told });

    assert.deepEqual(parties, [2, 3]);
  });

test("after three attempts the request ends with the last cause, whatever time is left", async () => {
  for (const party of [1, 2, 3]) failing(party, remote("store_failed"));

  await assert.rejects(sign(), { code: "attempts_failed", message: /the last one: as the test wants: store_failed/ });

  assert.equal(asked("sign").length, 6);
});

test("with a threshold far below the nodes there are as many attempts as quorums must fail", async () => {
  signers = await TestSigners.start(5, 2);
  key = await signers.makeKey();
  keys = new KeyDirectory(signers.network);
  for (const party of [1, 2, 3, 4, 5]) failing(party, remote("store_failed"));

  await assert.rejects(sign(), { code: "attempts_failed" });

  assert.equal(asked("sign").length, 8);
});

test("when nodes refuse and no quorum is left, the caller hears the nodes' word", async () => {
  failing(1, remote("permission_missing", "refusal"));
  failing(2, remote("permission_missing", "refusal"));

  await assert.rejects(sign(), { code: "permission_missing" });
});

test("a quorum that presence shows within two seconds is waited for, a later one is not", async () => {
  const evidence = signers.approveSignature(key.package.keyId);
  const start = signers.now();
  signers.away.add(1).add(2);
  await assert.rejects(sign(evidence), {
    code: "quorum_unavailable",
    details: { needed: 2, able: 1, away: ["region-1", "region-2"] },
  });
  const waited = signers.now() - start;

  signers.clock.setTimer(1_900, () => signers.away.delete(1));
  const { parties } = await sign(evidence);

  assert.equal(waited, 2_000);
  assert.deepEqual(parties, [1, 3]);
});

test("no attempt begins after the deadline", async () => {
  for (const party of [1, 2, 3])
    signers.behaviour.set(party, {
      sign: (_request, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(remote("session_deadline")), { once: true });
        }),
    });
  const start = signers.now();

  await assert.rejects(sign(undefined, 2_000), { code: "attempts_failed" });

  assert.equal(signers.now() - start, 2_000);
  assert.equal(asked("sign").length, 4);
});

test("evidence that does not hold, or asks for something else, reaches no node", async () => {
  const expired = signers.approve(
    `/keys/${key.package.keyId}/signatures`,
    { kind: "Message", message: "0x00" },
    { expiresAtMs: signers.now() },
  );
  const edited: Evidence = {
    ...signers.approveSignature(key.package.keyId),
    payload: '{"kind":"Message","message":"0x01"}',
  };

  await assert.rejects(sign(expired), { code: "approval_expired" });
  await assert.rejects(sign(edited), { code: "challenge_mismatch" });
  await assert.rejects(sign(signers.approveKey()), { code: "key_not_active" });

  assert.deepEqual(signers.calls, []);
});

test("a key that no node holds is not active", async () => {
  await assert.rejects(sign(signers.approveSignature("key-bbbbb-bbbbb-bbbbbbbbbbbbbbbb")), { code: "key_not_active" });
  assert.deepEqual(asked("sign"), []);
});

test("an approval runs once at a time, and its lease is given back however the request ends", async () => {
  const { network } = signers;
  const evidence = signers.approveSignature(key.package.keyId);
  const leases: string[] = [];
  const acquire = async (name: string, ttlMs: number): Promise<Lease | undefined> => {
    const lease = await network.coordination.acquire(name, ttlMs);
    leases.push(`${name.slice(0, 5)} ${ttlMs} ${lease !== undefined}`);
    return lease;
  };
  const watching = { ...network, coordination: { ...network.coordination, acquire } };

  const results = await Promise.allSettled([sign(evidence, 10_000, watching), sign(evidence, 10_000, watching)]);
  failing(1, remote("approval_expired", "refusal"));
  failing(2, remote("approval_expired", "refusal"));
  await assert.rejects(sign(evidence, 10_000, watching), { code: "approval_expired" });
  await assert.rejects(sign(evidence, 10_000, watching), { code: "approval_expired" });

  assert.deepEqual(
    results.map((result) => (result.status === "rejected" ? result.reason.code : "signed")),
    ["signed", "request_busy"],
  );
  assert.deepEqual(leases, ["sign: 11000 true", "sign: 11000 false", "sign: 11000 true", "sign: 11000 true"]);
});
