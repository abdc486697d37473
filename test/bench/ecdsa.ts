import { randomBytes } from "node:crypto";
import { Secret } from "@countersign/bytes";
import { identityBook, inProcessDeliveries, NodeIdentity } from "@countersign/mesh";
import {
  combineEcdsa,
  type Delivery,
  type EcdsaTerms,
  ecdsaKeyContext,
  establishLink,
  generateKey,
  type KeygenTerms,
  type KeyShare,
  keygenRounds,
  keygenSessionDigest,
  type Link,
  type LinkGate,
  linkGate,
  type PartyIndex,
  prepareCurves,
  type SignedMessage,
  signEcdsa,
} from "@countersign/threshold";
import { cpuMs, type Plan, repeat, warmUp } from "./plan.ts";
import type { RecordSamples, RowName } from "./rows.ts";

const DEPLOYMENT_ID = "dep-bench";
const SUITE = "DKLS23-secp256k1-SHA256-v1";
const DEADLINE_MS = 10_000;
/** Signatures per sample: the clock of CPU time is coarse on some kernels. */
const SIGNATURES_PER_SAMPLE = 4;
const WARM_UP = 8;

const rng = (size: number) => new Uint8Array(randomBytes(size));

/** Nodes with a link between each two, and a key of theirs. */
interface Group {
  readonly threshold: number;
  readonly identities: ReadonlyMap<PartyIndex, NodeIdentity>;
  readonly links: ReadonlyMap<PartyIndex, ReadonlyMap<PartyIndex, Link>>;
}

/**
 * Measures threshold ECDSA and its links: CPU of the protocol functions and the combiner. Messages of signing and link setup are handed
 * over unsigned, their identity signatures are the mesh's work; those of key generation are signed, as evidence needs them.
 */
export async function measureEcdsa(plan: Plan, record: RecordSamples): Promise<void> {
  if (!ECDSA_ROWS.some((row) => plan.wanted.has(row))) return;
  await prepareCurves(rng);
  const bounds = plan.quick ? { runsMax: 8, msMax: 1_000 } : { runsMax: 40, msMax: 3_000 };
  const measure = async (row: RowName, perSample: number, once: () => Promise<unknown>) => {
    if (!plan.wanted.has(row)) return;
    const sample = () =>
      cpuMs(async () => {
        for (let k = 0; k < perSample; k++) await once();
      });
    await warmUp(plan, perSample === 1 ? 1 : WARM_UP, sample);
    const samples = await repeat(plan, bounds, sample);
    record(
      row,
      samples.map((ms) => ms / perSample),
    );
  };
  await measure("link.setup.cpu_ms", 1, () => linkOf(rng(32), rng(32), "node-a", "node-b"));
  if (!ECDSA_ROWS.some((row) => row !== "link.setup.cpu_ms" && plan.wanted.has(row))) return;

  const small = await makeGroup(2, 3);
  await measure("ecdsa.keygen.2of3.cpu_ms", SIGNATURES_PER_SAMPLE, () => generate(small));
  const shares = await generate(small);
  const bytes = await sign(small, shares);
  if (plan.wanted.has("ecdsa.sign.bytes_per_pair")) record("ecdsa.sign.bytes_per_pair", [bytes]);
  await measure("ecdsa.sign.2of3.cpu_ms", SIGNATURES_PER_SAMPLE, () => sign(small, shares));
  if (!plan.wanted.has("ecdsa.sign.3of5.cpu_ms")) return;
  const large = await makeGroup(3, 5);
  const sharesOfFive = await generate(large);
  await measure("ecdsa.sign.3of5.cpu_ms", SIGNATURES_PER_SAMPLE, () => sign(large, sharesOfFive));
}

const ECDSA_ROWS = [
  "link.setup.cpu_ms",
  "ecdsa.keygen.2of3.cpu_ms",
  "ecdsa.sign.2of3.cpu_ms",
  "ecdsa.sign.3of5.cpu_ms",
  "ecdsa.sign.bytes_per_pair",
] as const satisfies readonly RowName[];

async function makeGroup(threshold: number, partyCount: number): Promise<Group> {
  const parties = Array.from({ length: partyCount }, (_, place) => place + 1);
  const identities = new Map(parties.map((party) => [party, new NodeIdentity(new Secret(rng(32)))] as const));
  const links = new Map(parties.map((party) => [party, new Map<PartyIndex, Link>()] as const));
  const keyOf = (party: PartyIndex) => identities.get(party)?.publicKey ?? new Uint8Array(0);
  for (const one of parties)
    for (const other of parties.slice(one)) {
      const [first, second] = await linkOf(keyOf(one), keyOf(other), `node-${one}`, `node-${other}`);
      links.get(one)?.set(other, first);
      links.get(other)?.set(one, second);
    }
  return { threshold, identities, links };
}

/** Both ends of a fresh link. */
async function linkOf(keyA: Uint8Array, keyB: Uint8Array, nodeA: string, nodeB: string): Promise<[Link, Link]> {
  const { deliveries } = exchange([1, 2]);
  const [a, b] = [
    { nodeId: nodeA, identityKey: keyA },
    { nodeId: nodeB, identityKey: keyB },
  ];
  const common = { deploymentId: DEPLOYMENT_ID, linkEpoch: 1, rng, stage: async () => {} };
  const [first, second] = await Promise.all([
    establishLink(deliveryOf(deliveries, 1), { ...common, self: a, peer: b }),
    establishLink(deliveryOf(deliveries, 2), { ...common, self: b, peer: a }),
  ]);
  return [first.link, second.link];
}

async function generate({ threshold, identities, links }: Group): Promise<readonly KeyShare[]> {
  const members = [...identities].map(([index, { publicKey }]) => ({ index, identityKey: publicKey }));
  const book = identityBook(
    DEPLOYMENT_ID,
    members.map(({ index, identityKey }) => ({ index, publicKey: identityKey })),
  );
  const terms: KeygenTerms = {
    deploymentId: DEPLOYMENT_ID,
    suite: SUITE,
    keyId: "key-bench-bench-benchbenchbenchb",
    epoch: 0,
    threshold,
    sessionId: rng(32),
    members,
  };
  const deliveries = inProcessDeliveries({
    deploymentId: DEPLOYMENT_ID,
    sessionId: terms.sessionId,
    sessionDigest: keygenSessionDigest(terms),
    rounds: keygenRounds(identities.size, threshold),
    identities,
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const keys = await Promise.all(
    [...identities].map(([party, identity]) => {
      const fingerprints = [...(links.get(party) ?? [])].map(([peer, link]) => [peer, link.fingerprints] as const);
      const options = { ...terms, ...book, identity, rng, stage: async () => {}, links: new Map(fingerprints) };
      return generateKey(deliveryOf(deliveries, party), options);
    }),
  );
  return keys.map(({ share }) => share);
}

/** Signs with the first t parties and combines, which verifies. Gives the bytes from one party to another and to the combiner. */
async function sign({ threshold, identities, links }: Group, shares: readonly KeyShare[]): Promise<number> {
  const parties = [...identities.keys()].slice(0, threshold);
  const [{ public: key } = raise("No shares.")] = shares;
  const members = [...identities].map(([index, { publicKey }]) => ({ index, identityKey: publicKey }));
  const terms: EcdsaTerms = {
    deploymentId: DEPLOYMENT_ID,
    key,
    keyContext: ecdsaKeyContext(key, members),
    parties,
    sessionId: rng(32),
    attempt: 1,
    evidenceHash: rng(32),
    organisationHead: rng(32),
    deploymentHead: rng(32),
    digests: [rng(32)],
  };
  const { deliveries, bytes } = exchange(parties);
  const partials = await Promise.all(
    parties.map(async (party) => {
      const share = shares[party - 1] ?? raise(`No share ${party}.`);
      const own = new Map([...(links.get(party) ?? [])].map(([peer, link]) => [peer, gateOf(link)] as const));
      const [partial = raise("No partial.")] = await signEcdsa(deliveryOf(deliveries, party), {
        ...terms,
        share,
        links: own,
        rng,
      });
      return [party, partial] as const;
    }),
  );
  combineEcdsa({ ...terms, itemIndex: 0, partials: new Map(partials) });
  const [[, partial] = raise("No partial.")] = partials;
  return bytes() / (threshold * (threshold - 1)) + partial.length;
}

function gateOf(link: Link): LinkGate {
  return linkGate(link, { isActive: async () => true, storeBan: async () => raise("A link was banned.") });
}

/** Deliveries that hand bodies over as they are, and how many bytes they carried. */
function exchange(parties: readonly PartyIndex[]) {
  const boxes = new Map<string, ReturnType<typeof makeBox>>();
  let carried = 0;
  const makeBox = () => ({
    messages: new Map<PartyIndex, SignedMessage>(),
    full: Promise.withResolvers<ReadonlyMap<PartyIndex, SignedMessage>>(),
  });
  const boxOf = (receiver: PartyIndex, round: string) => {
    const name = `${receiver} ${round}`;
    const box = boxes.get(name) ?? makeBox();
    boxes.set(name, box);
    return box;
  };
  const deliver = (self: PartyIndex): Delivery => ({
    self,
    parties,
    async send(round, to, body) {
      const message: SignedMessage = { header: new Uint8Array(0), body, signature: new Uint8Array(0) };
      for (const receiver of to === "all" ? parties.filter((party) => party !== self) : [to]) {
        const { messages, full } = boxOf(receiver, round);
        messages.set(self, message);
        carried += body.length;
        if (messages.size === parties.length - 1) full.resolve(messages);
      }
      return message;
    },
    complete: (round) => boxOf(self, round).full.promise,
  });
  return { deliveries: new Map(parties.map((party) => [party, deliver(party)] as const)), bytes: () => carried };
}

function deliveryOf(deliveries: ReadonlyMap<PartyIndex, Delivery>, party: PartyIndex): Delivery {
  return deliveries.get(party) ?? raise(`No delivery for party ${party}.`);
}

function raise(message: string): never {
  throw new Error(message);
}
