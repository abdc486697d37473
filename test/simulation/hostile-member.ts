import { evidenceHash } from "@countersign/authority";
import type { SeededRandom } from "@countersign/mesh";
import type { SignerNode } from "@countersign/service-signer";
import { renunciationStatement, schnorrRounds, sessionDigest } from "@countersign/threshold";
import { evidenceFromWire, sessionFromWire } from "@countersign/wire";
import { pick } from "./chaos.ts";
import type { SimulatedSignerOptions } from "./simulated-signer.ts";

type Corruption = NonNullable<SimulatedSignerOptions["corrupt"]>;

/**
 * A member that works for the hostile orchestrator: it judges nothing, waits for the others' nonce commitments before it sends its
 * own (a copy of theirs, an older one of its own, or rubbish), and promises whatever it is asked to. It keeps its own share to
 * itself, which it could give away anyway.
 */
export function hostileMember(random: SeededRandom): Corruption {
  const sent: Uint8Array[] = [];
  return (node) => ({
    sign: async (request, { signal }) => {
      const { sessionId, ...session } = sessionFromWire(request.session);
      const evidence = evidenceFromWire(request.evidence);
      const keyId = evidence.path.split("/")[2] ?? "";
      const { deploymentId } = node.descriptor;
      const facts = { ...session, sessionId, deploymentId, keyId, epoch: 0, evidenceHash: evidenceHash(evidence) };
      const digest = sessionDigest({ ...facts, purpose: "sign" });
      const { parties } = session;
      const delivery = node.mesh.openSession({
        sessionId,
        sessionDigest: digest,
        parties,
        rounds: schnorrRounds(1),
        signal,
      });
      try {
        const received = await delivery.complete("commit");
        const [theirs = new Uint8Array(0)] = [...received.values()].map(({ body }) => body);
        const rubbish = Uint8Array.from(theirs, (byte, place) => (place < 2 ? byte : byte ^ 0x55));
        const body = pick(random, [theirs, theirs, rubbish, ...sent.slice(-1)]);
        sent.push(theirs);
        await delivery.send("commit", "all", body);
        return { partials: [] };
      } finally {
        delivery.close();
      }
    },
    renounce: async ({ keyId, sessionId }) => ({ renunciation: promise(node, keyId, sessionId) }),
  });
}

function promise(node: SignerNode, keyId: string, sessionId: Uint8Array) {
  const statement = renunciationStatement(node.descriptor.deploymentId, keyId, sessionId);
  return { party: node.self, sessionId, signature: node.identity.sign(statement) };
}
