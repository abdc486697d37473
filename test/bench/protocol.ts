import { randomBytes } from "node:crypto";
import { Secret } from "@countersign/bytes";
import { type IdentityBook, identityBook, inProcessDeliveries, NodeIdentity } from "@countersign/mesh";
import {
  combineSchnorr,
  type Delivery,
  generateKey,
  type KeygenTerms,
  type KeyShare,
  keygenRounds,
  keygenSessionDigest,
  type PartyIndex,
  prepareCurves,
  type SchnorrPartial,
  type SuiteName,
  schnorrRounds,
  signSchnorr,
} from "@countersign/threshold";
import { cpuMs, type Plan, repeat, warmUp } from "./plan.ts";
import type { RecordSamples, RowName } from "./rows.ts";

const DEPLOYMENT_ID = "dep-bench";
const KEY_ID = "key-bench-bench-benchbenchbenchb";
const ED25519 = "FROST-ED25519-SHA512-v1";
const TAPROOT = "FROST-secp256k1-SHA256-TR-v1";
/** Everything runs in this process; a wait this long is a deadlock. */
const DEADLINE_MS = 10_000;
/** Sessions per sample: the clock of CPU time is coarse on some kernels. */
const SESSIONS_PER_SAMPLE = 8;
/** Samples that are thrown away: code is compiled while they run. */
const WARM_UP = 6;

const rng = (size: number) => new Uint8Array(randomBytes(size));

/** n parties with identities that know each other; everything but bus and store. */
interface Group {
  readonly threshold: number;
  readonly identities: ReadonlyMap<PartyIndex, NodeIdentity>;
  readonly book: IdentityBook;
}

/** A session with its deliveries, by party. */
interface Session {
  readonly sessionId: Uint8Array;
  readonly sessionDigest: Uint8Array;
  readonly deliveries: readonly (readonly [Delivery, NodeIdentity])[];
}

/** Measures the CPU of the protocol functions: deliveries are in this process, messages signed as on the wire. */
export async function measureProtocols(plan: Plan, record: RecordSamples): Promise<void> {
  await prepareCurves(rng);
  const [small, large] = [makeGroup(2, 3), makeGroup(3, 5)];
  const bounds = plan.quick ? { runsMax: 8, msMax: 700 } : { runsMax: 40, msMax: 2_000 };
  const measure = async (row: RowName, prepare: () => Promise<() => Promise<unknown>>) => {
    if (!plan.wanted.has(row)) return;
    const once = await prepare();
    const sample = () =>
      cpuMs(async () => {
        for (let k = 0; k < SESSIONS_PER_SAMPLE; k++) await once();
      });
    await warmUp(plan, WARM_UP, sample);
    record(
      row,
      (await repeat(plan, bounds, sample)).map((ms) => ms / SESSIONS_PER_SAMPLE),
    );
  };
  const signing = (group: Group, suite: SuiteName) => async () => {
    const shares = await generate(group, suite);
    requireSignature(group, shares, await sign(group, shares));
    return () => sign(group, shares);
  };
  await measure("eddsa.sign.2of3.cpu_ms", signing(small, ED25519));
  await measure("eddsa.sign.3of5.cpu_ms", signing(large, ED25519));
  await measure("eddsa.combine.2of3.cpu_ms", async () => {
    const shares = await generate(small, ED25519);
    const signed = await sign(small, shares);
    return async () => requireSignature(small, shares, signed);
  });
  await measure("eddsa.keygen.2of3.cpu_ms", async () => () => generate(small, ED25519));
  await measure("schnorr.sign.2of3.cpu_ms", signing(small, TAPROOT));
  await measure("schnorr.keygen.2of3.cpu_ms", async () => () => generate(small, TAPROOT));
}

function makeGroup(threshold: number, partyCount: number): Group {
  const parties = Array.from({ length: partyCount }, (_, place) => place + 1);
  const identities = new Map(parties.map((party) => [party, new NodeIdentity(new Secret(rng(32)))]));
  const nodes = [...identities].map(([index, { publicKey }]) => ({ index, publicKey }));
  return { threshold, identities, book: identityBook(DEPLOYMENT_ID, nodes) };
}

async function generate(group: Group, suite: SuiteName): Promise<readonly KeyShare[]> {
  const { threshold, identities, book } = group;
  const members = [...identities].map(([index, { publicKey }]) => ({ index, identityKey: publicKey }));
  const sessionId = rng(32);
  const terms: KeygenTerms = {
    deploymentId: DEPLOYMENT_ID,
    suite,
    keyId: KEY_ID,
    epoch: 0,
    threshold,
    sessionId,
    members,
  };
  const { deliveries } = openSession(
    identities,
    keygenRounds(identities.size, threshold),
    sessionId,
    keygenSessionDigest(terms),
  );
  const stage = async () => {};
  const keys = await Promise.all(
    deliveries.map(([delivery, identity]) => generateKey(delivery, { ...terms, ...book, identity, rng, stage })),
  );
  return keys.map(({ share }) => share);
}

interface Signed {
  readonly session: Session;
  readonly message: Uint8Array;
  readonly partials: readonly (readonly SchnorrPartial[])[];
}

async function sign({ threshold, identities }: Group, shares: readonly KeyShare[]): Promise<Signed> {
  const quorum = new Map([...identities].slice(0, threshold));
  const session = openSession(quorum, schnorrRounds(1), rng(32), rng(32));
  const { sessionDigest } = session;
  const message = rng(32);
  const partials = await Promise.all(
    session.deliveries.map(([delivery, identity], place) => {
      const share = shares[place];
      if (share === undefined) throw new Error(`No share ${place + 1}.`);
      return signSchnorr(delivery, { share, items: [{ message }], sessionDigest, identity, rng });
    }),
  );
  return { session, message, partials };
}

/** Combines and verifies; throws unless the parties made a signature. */
function requireSignature({ threshold, book }: Group, [share]: readonly KeyShare[], signed: Signed): void {
  if (share === undefined) throw new Error("No share.");
  const {
    session: { sessionId, sessionDigest },
    message,
    partials,
  } = signed;
  const parties = Array.from({ length: threshold }, (_, place) => place + 1);
  const own = partials.flatMap(([partial], place) => (partial === undefined ? [] : [[place + 1, partial] as const]));
  combineSchnorr({
    publicKey: share.public,
    item: { message },
    itemIndex: 0,
    sessionId,
    sessionDigest,
    parties,
    partials: new Map(own),
    ...book,
  });
}

function openSession(
  identities: ReadonlyMap<PartyIndex, NodeIdentity>,
  rounds: Readonly<Record<string, number>>,
  sessionId: Uint8Array,
  sessionDigest: Uint8Array,
): Session {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const deliveries = inProcessDeliveries({
    deploymentId: DEPLOYMENT_ID,
    sessionId,
    sessionDigest,
    rounds,
    identities,
    signal,
  });
  const pairs = [...identities].map(([party, identity]) => {
    const delivery = deliveries.get(party);
    if (delivery === undefined) throw new Error(`No delivery for party ${party}.`);
    return [delivery, identity] as const;
  });
  return { sessionId, sessionDigest, deliveries: pairs };
}
