import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Evidence } from "@countersign/authority";
import { hex } from "@countersign/bytes";
import { seededRandom } from "@countersign/mesh";
import type { Session } from "@countersign/wire";
import { type Insider, QUORUMS, type Release, SILENCE_MS } from "./insider.ts";

/** A party is kept waiting this long, or its call is given up after this long: some rounds of a session. */
const PAUSE_MS_MAX = 12;

/**
 * Runs one approval in every way an orchestrator can think of, all at once and in an order that follows the seed: with every quorum,
 * one session id for two quorums, another attempt for each party, a party that is called late, not at all, or given up in the middle.
 */
export async function storm(insider: Insider, evidence: Evidence, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const pause = () => random.next() * PAUSE_MS_MAX;
  const deadlineMs = SILENCE_MS;
  const together = (session: Session) => insider.signTogether(evidence, session, deadlineMs);
  const alone = (party: number, session: Session, given: { signal?: AbortSignal } = {}) =>
    insider.sign(party, evidence, session, { deadlineMs, ...given });
  const tricks = QUORUMS.flatMap((parties, place) => {
    const [one, two] = parties;
    const elsewhere = QUORUMS[(place + 1) % QUORUMS.length] ?? parties;
    const fresh = (attempt: number) => insider.session(parties, { attempt });
    return [
      () => together(fresh(1)),
      async () => {
        const session = fresh(1);
        await Promise.all([together(session), together({ ...session, parties: elsewhere })]);
      },
      async () => {
        const session = fresh(1);
        await Promise.all([alone(one, session), alone(two, { ...session, attempt: 2 })]);
      },
      async () => {
        const session = fresh(3);
        const first = alone(one, session);
        await delay(pause());
        await Promise.all([first, alone(two, session)]);
      },
      async () => {
        const session = fresh(2);
        const signal = AbortSignal.timeout(Math.ceil(pause()));
        await Promise.all([alone(one, session), alone(two, session, { signal })]);
      },
      () => alone(one, fresh(1)),
    ];
  });
  const order = tricks.map((trick) => ({ trick, at: random.next() })).sort((a, b) => a.at - b.at);
  await Promise.all(order.map(({ trick }) => trick()));
}

/** No approval yields more releases of a signer than it has attempts. */
export function assertAttempts(insider: Insider, attemptsMax: number): void {
  const counted = Map.groupBy(insider.releases, ({ party, evidence }) => `${party} ${insider.cOf(evidence)}`);
  for (const [place, releases] of counted)
    assert.ok(releases.length <= attemptsMax, `${place} was released ${releases.length} times`);
}

/** A nonce commitment stands in one package alone, and a signer answers a session once. */
export function assertNoncesOnce({ releases }: Insider): void {
  const packages = new Map<string, string>();
  const sessions = new Set<string>();
  for (const { party, session, partial } of releases) {
    const own = partial.commitments[session.parties.indexOf(party)];
    assert.ok(own !== undefined);
    const nonce = `${party} ${hex(own.body)}`;
    assert.equal(packages.has(nonce), false, `party ${party} released two outputs of one nonce`);
    packages.set(nonce, hex(partial.packageHash));
    const place = `${party} ${hex(session.sessionId)}`;
    assert.equal(sessions.has(place), false, `party ${party} answered a session twice`);
    sessions.add(place);
  }
}

/** Pairs of releases of different sessions that could stand for one quorum; at most `max` of them, spread over all. */
export function crossings({ releases }: Insider, max: number): (readonly [Release, Release])[] {
  const pairs = releases.flatMap((one) =>
    releases.flatMap((two) => {
      const fits = one.party !== two.party && one.session.parties.includes(two.party);
      const isOneKey = one.evidence.path === two.evidence.path;
      return fits && isOneKey && one.session !== two.session ? [[one, two] as const] : [];
    }),
  );
  const step = Math.max(1, Math.floor(pairs.length / max));
  return pairs.filter((_, place) => place % step === 0);
}
