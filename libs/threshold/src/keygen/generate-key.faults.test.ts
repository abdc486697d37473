import assert from "node:assert/strict";
import { before, type TestContext, test } from "node:test";
import { hex } from "@countersign/bytes";
import { ed25519 } from "../curves/ed25519.ts";
import { prepareCurves } from "../curves/prepare-curves.ts";
import { systemRng } from "../testing/system-rng.ts";
import { keygenNetwork, type Outcome, runKeygen } from "./testing/keygen-network.ts";

// Faults of the machine itself: one result of the curve library comes out wrong. Nobody cheats, so only the party's own checks of
// what it computed can keep a broken key from being staged.

before(() => prepareCurves(systemRng));

test("a wrong verification share is found before anything is staged", async (context) => {
  // The last product of points in a session belongs to the last verification share of whoever computes last.
  const outcomes = await withLastResultWrong(context, "multiplyPoint", () => ed25519.generator);

  expectOneFailure(outcomes, "public_key_package_invalid");
});

test("a wrong share of the key is found before it is staged", async (context) => {
  // The last sum of scalars in a session ends the last party's s_j.
  const outcomes = await withLastResultWrong(context, "add", () => ed25519.scalarFromNumber(7));

  expectOneFailure(outcomes, "key_share_inconsistent");
});

test("after a key was generated, or failed to be, no scalar we computed or decoded still holds a dealt share", async (context) => {
  for (const loses of [undefined, "finish"]) {
    const scalars: Uint8Array[] = [];
    const spies = (["add", "multiply", "decodeScalar"] as const).map((name) => {
      const original: (...values: never[]) => Uint8Array = ed25519[name];
      return context.mock.method(ed25519, name, (...values: Uint8Array[]) => {
        const result: Uint8Array = Reflect.apply(original, ed25519, values as never[]);
        scalars.push(result);
        return result;
      });
    });
    const dealt = new Set<string>();

    await runKeygen(keygenNetwork({ threshold: 2, partyCount: 3 }), {
      tap: (message, facts) => {
        if (facts.round === "share") dealt.add(hex(message.body.subarray(-32)));
        return facts.round === loses && facts.from === 3 ? undefined : message;
      },
    });
    for (const spy of spies) spy.mock.restore();

    assert.equal(dealt.size, 6);
    assert.ok(scalars.length > 20);
    assert.deepEqual(
      scalars.filter((scalar) => dealt.has(hex(scalar))),
      [],
    );
  }
});

/** Counts an operation's calls in an honest session, then lets the last of them go wrong in another of the same size. */
async function withLastResultWrong(
  context: TestContext,
  name: "add" | "multiplyPoint",
  wrong: () => Uint8Array,
): Promise<ReadonlyMap<number, Outcome>> {
  const original: (...values: never[]) => Uint8Array = ed25519[name];
  let calls = 0;
  let wrongCall = Number.POSITIVE_INFINITY;
  const spy = context.mock.method(ed25519, name, (...values: Uint8Array[]) => {
    calls++;
    return calls === wrongCall ? wrong() : Reflect.apply(original, ed25519, values as never[]);
  });
  await runKeygen(keygenNetwork({ threshold: 2, partyCount: 3 }));
  wrongCall = calls;
  calls = 0;
  const outcomes = await runKeygen(keygenNetwork({ threshold: 2, partyCount: 3 }));
  spy.mock.restore();
  return outcomes;
}

function expectOneFailure(outcomes: ReadonlyMap<number, Outcome>, code: string): void {
  const failed = [...outcomes.values()].filter(
    ({ error }) => error instanceof Error && "code" in error && error.code === code,
  );
  assert.equal(failed.length, 1);
  assert.equal(failed[0]?.staged, false);
  assert.ok([...outcomes.values()].every(({ key }) => key === undefined));
}
