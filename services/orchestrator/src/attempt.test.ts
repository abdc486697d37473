import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { beforeEach, test } from "node:test";
import { concatBytes, hex } from "@countersign/bytes";
import type { CertifiedKey } from "@countersign/wire";
import { type ApprovedRequest, type Failure, runAttempt } from "./attempt.ts";
import type { SignerClient } from "./network.ts";
import { remote, TestSigners } from "./testing/test-signers.ts";

const MESSAGE = Buffer.from("hello");

let signers: TestSigners;
let key: CertifiedKey;
beforeEach(async () => {
  signers = await TestSigners.start();
  key = await signers.makeKey();
});

function request(changes: Partial<ApprovedRequest> = {}): ApprovedRequest {
  return {
    network: signers.network,
    evidence: signers.approveSignature(key.package.keyId),
    key: key.package,
    items: [{ message: MESSAGE }],
    signal: new AbortController().signal,
    endsAt: signers.now() + 10_000,
    ...changes,
  };
}

function run(approved = request(), parties: readonly number[] = [1, 2]) {
  return signers.settle(runAttempt(approved, 1, parties));
}

/** Lets a node fail `Sign` with an error, at once. */
function failing(party: number, error: unknown): void {
  signers.behaviour.set(party, {
    sign: async () => {
      throw error;
    },
  });
}

/** Lets a node fail `Sign` with an error after some time. */
function after(delayMs: number, party: number, error: unknown): void {
  const { promise, reject } = Promise.withResolvers<never>();
  signers.behaviour.set(party, {
    sign: () => {
      signers.clock.setTimer(delayMs, () => reject(error));
      return promise;
    },
  });
}

/** Lets a node wait in `Sign` until it is cancelled, as a peer of a failed party does. */
function waiting(party: number, code = "rpc_cancelled"): void {
  const sign: SignerClient["sign"] = (_request, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(remote(code)), { once: true });
    });
  signers.behaviour.set(party, { sign });
}

async function failure(approved = request(), parties: readonly number[] = [1, 2]): Promise<Failure> {
  const outcome = await run(approved, parties);
  assert.ok("verdict" in outcome, "the attempt failed");
  return outcome;
}

function codeOf({ error }: Failure): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

test("two nodes' partials become a signature that others accept, and the session counts while it runs", async () => {
  let during: number[] = [];
  const right = signers.network.signers.get(1);
  assert.ok(right !== undefined);
  const { sign } = right;
  const approved = request({
    network: {
      ...signers.network,
      signers: new Map([
        ...signers.network.signers,
        [
          1,
          {
            ...right,
            sign: (asked, options) => {
              during = [1, 2, 3].map((party) => signers.inFlight.count(party));
              return sign(asked, options);
            },
          },
        ],
      ]),
    },
  });

  const outcome = await run(approved);

  assert.ok("signatures" in outcome);
  const [signature] = outcome.signatures;
  assert.ok(signature !== undefined && outcome.signatures.length === 1);
  const x = Buffer.from(key.package.commitments[0] ?? []).toString("base64url");
  const publicKey = { key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" } as never;
  assert.equal(verify(null, MESSAGE, publicKey, concatBytes(signature.r, signature.s)), true);
  assert.deepEqual(during, [1, 1, 0]);
  assert.deepEqual(
    [1, 2, 3].map((party) => signers.inFlight.count(party)),
    [0, 0, 0],
  );
});

test("every party is told the same session, and every attempt is a session of its own", async () => {
  const approved = request();

  await run(approved);
  await signers.settle(runAttempt(approved, 2, [2, 3]));

  const [first, second, third, fourth] = signers.sessions;
  assert.deepEqual(first, second);
  assert.deepEqual(third, fourth);
  assert.deepEqual([first?.attempt, first?.parties, third?.attempt, third?.parties], [1, [1, 2], 2, [2, 3]]);
  assert.notEqual(hex(first?.sessionId ?? MESSAGE), hex(third?.sessionId ?? MESSAGE));
});

const NOBODY = { faulty: [], accused: [], excluded: [] };

test("a node that refuses is excluded, its word is the error, and the node that waited for it is not blamed", async () => {
  waiting(1);
  failing(2, remote("approval_expired", "refusal"));

  const failed = await failure();

  assert.equal(codeOf(failed), "approval_expired");
  assert.deepEqual(failed.verdict, { ...NOBODY, excluded: [2] });
  assert.equal(signers.inFlight.count(1), 0, "a failed session counts no longer");
});

test("a refusal is the error also when another node failed before it", async () => {
  const refused = Promise.withResolvers<never>();
  signers.behaviour.set(1, { sign: () => Promise.reject(remote("session_deadline")) });
  signers.behaviour.set(2, { sign: () => refused.promise });
  signers.clock.setTimer(1, () => refused.reject(remote("session_replayed", "refusal")));

  assert.equal(codeOf(await failure()), "session_replayed");
});

test("a node that says at the end that its peer was silent accuses it, and when the peer answers us in time, no more", async () => {
  after(1_350, 1, remote("session_deadline", "outage", { silent: [2] }));
  after(1_360, 2, remote("session_deadline", "outage", { silent: [1] }));
  const start = signers.now();

  const failed = await failure();

  assert.equal(codeOf(failed), "session_deadline");
  assert.deepEqual(failed.verdict, { ...NOBODY, accused: [2, 1] });
  assert.equal(signers.now() - start, 1_360, "the peer's own word was waited for");
});

test("a node that does not answer us either is faulty", async () => {
  after(1_350, 1, remote("session_deadline", "outage", { silent: [2] }));
  waiting(2, "rpc_deadline");
  const start = signers.now();

  assert.deepEqual((await failure()).verdict, { ...NOBODY, accused: [2], faulty: [2] });
  assert.equal(signers.now() - start, 1_500);
});

test("a node that complains of lateness before there can be any is faulty, and accuses nobody", async () => {
  after(700, 1, remote("session_deadline", "outage", { silent: [2] }));
  waiting(2);

  assert.deepEqual((await failure()).verdict, { ...NOBODY, faulty: [1] });
});

test("a node that says it was cancelled when nobody cancelled it is faulty", async () => {
  for (const code of ["rpc_cancelled", "session_cancelled"]) {
    failing(1, remote(code));
    waiting(2, code);

    assert.deepEqual((await failure()).verdict, { ...NOBODY, faulty: [1] }, code);
  }
});

test("what a node says about others is read as party indexes or not at all", async () => {
  failing(1, remote("commitment_invalid", "abort", { culprits: ["2", "__proto__", 1, 2], suspects: 2 as never }));
  waiting(2, "session_cancelled");

  assert.deepEqual((await failure()).verdict, { ...NOBODY, accused: [2] });
});

test("a node that is away or broken is faulty", async () => {
  for (const error of [remote("rpc_unavailable"), remote("store_failed"), remote("internal", "bug")]) {
    failing(1, error);
    waiting(2);

    assert.deepEqual((await failure()).verdict, { ...NOBODY, faulty: [1] }, error.code);
  }
});

test("an accusation of cheating excludes nobody: a node's word convicts no other", async () => {
  failing(1, remote("commitment_invalid", "abort", { culprits: [2], suspects: [] }));
  waiting(2);

  assert.deepEqual((await failure()).verdict, { ...NOBODY, accused: [2] });
});

test("a node with more or fewer partials than there are messages, or unreadable ones, is excluded", async () => {
  const right = signers.network.signers.get(2);
  assert.ok(right !== undefined);
  const answers: SignerClient["sign"][] = [
    async () => ({ $typeName: "countersign.signer.v1.SignResponse", partials: [] }),
    async (asked, options) => {
      signers.behaviour.delete(2);
      const answer = await right.sign(asked, options);
      return { ...answer, partials: [...answer.partials, ...answer.partials] };
    },
    async (asked, options) => {
      signers.behaviour.delete(2);
      const answer = await right.sign(asked, options);
      for (const { scheme } of answer.partials) if (scheme.case === "schnorr") scheme.value.z = new Uint8Array(31);
      return answer;
    },
  ];

  for (const sign of answers) {
    signers.behaviour.set(2, { sign });
    const failed = await failure();
    assert.deepEqual(failed.verdict, { ...NOBODY, excluded: [2] });
  }
});

test("an unusable reply makes its sender faulty, and nobody else", async () => {
  const right = signers.network.signers.get(2);
  assert.ok(right !== undefined);
  const sign: SignerClient["sign"] = async (asked, options) => {
    signers.behaviour.delete(2);
    const answer = await right.sign(asked, options);
    for (const { scheme } of answer.partials)
      if (scheme.case === "schnorr") scheme.value.z[0] = (scheme.value.z[0] ?? 0) ^ 1;
    return answer;
  };
  signers.behaviour.set(2, { sign });

  const failed = await failure();

  assert.equal(codeOf(failed), "partial_invalid");
  assert.deepEqual(failed.verdict, { ...NOBODY, faulty: [2] });
});

test("once one party has failed the others are released at once", async () => {
  failing(1, remote("store_failed"));
  waiting(2);
  const start = signers.now();

  await failure();

  assert.equal(signers.now(), start);
});

test("a silent party costs a second and a half, and never more than the request has left", async () => {
  waiting(1, "session_deadline");
  waiting(2, "session_deadline");
  const start = signers.now();

  await failure();
  const first = signers.now() - start;
  await failure(request({ endsAt: signers.now() + 400 }));

  assert.equal(first, 1_500);
  assert.equal(signers.now() - start - first, 400);
});

test("a caller that gives up ends the attempt", async () => {
  waiting(1);
  waiting(2);
  const caller = new AbortController();

  const attempt = runAttempt(request({ signal: caller.signal }), 1, [1, 2]);
  await signers.clock.advance(100);
  caller.abort(new Error("gone"));
  const failed = await signers.settle(attempt);

  assert.ok("verdict" in failed);
  assert.deepEqual(failed.verdict, NOBODY);
});
