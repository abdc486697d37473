import type { MeshSession, SessionOptions } from "@countersign/mesh";
import type { SignerNode } from "./node.ts";
import { outcomeOf } from "./outcome.ts";

/** A session that the vault has accepted. */
export interface AcceptedSession extends SessionOptions {
  readonly keyId: string;
  /** What the audit log says when it ends well. */
  readonly success: string;
}

/**
 * Opens an accepted session in the mesh, runs its protocol, and notes how it ended. It ends in the mesh and in the audit log
 * however it went, also when it could not be opened: a generation without an outcome would count as running until its deadline.
 */
export async function runSession<T>(
  { vault, mesh }: SignerNode,
  { keyId, success, ...options }: AcceptedSession,
  protocol: (delivery: MeshSession) => Promise<T>,
): Promise<T> {
  let delivery: MeshSession | undefined;
  let ended: ReturnType<typeof outcomeOf> = { outcome: success, audit: {} };
  try {
    delivery = mesh.openSession(options);
    return await protocol(delivery);
  } catch (error) {
    ended = outcomeOf(error);
    throw error;
  } finally {
    // Before the outcome, which a full queue may refuse: the session must not stay open for that.
    delivery?.close();
    vault.recordOutcome({ sessionId: options.sessionId, keyId, ...ended });
  }
}
