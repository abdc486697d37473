import { meshError } from "../errors.ts";

/** One token of a subject: no dots, wildcards or spaces, so that a name can never widen a permission. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const SESSION = /^[0-9a-f]{64}$/;

/** What a subject is about: a channel's handshake, presence, or a session by its id in hex. */
export type Topic = "channel" | "presence" | { readonly session: string };

/** Where a message claims to come from and what it is about. */
export interface Place {
  readonly from: string;
  readonly topic: Topic;
}

/**
 * Returns a deployment's, node's or watcher's name if it can stand in a subject: 1..64 of letters, digits, `_` and `-`.
 * Refuses others with `mesh_name_invalid`.
 */
export function checkName(name: string, what: string): string {
  if (!NAME.test(name))
    throw meshError("mesh_name_invalid", `${what} ${JSON.stringify(name)} is not 1..64 letters, digits, "_" or "-".`);
  return name;
}

/** The subject scheme `cs.<deployment>.<from>.<to>.<topic>` (architecture 7) as one participant uses it. */
export class Subjects {
  readonly #prefix: string;
  readonly #self: string;

  constructor(deploymentId: string, self: string) {
    this.#prefix = `cs.${checkName(deploymentId, "Deployment")}`;
    this.#self = checkName(self, "Name");
  }

  /** Everything that is sent to this participant. */
  inbox(): string {
    return `${this.#prefix}.*.${this.#self}.>`;
  }

  /** Presence alone, for participants that may see no more. */
  presenceInbox(): string {
    return `${this.#prefix}.*.${this.#self}.presence`;
  }

  to(receiver: string, topic: Topic): string {
    return `${this.#prefix}.${this.#self}.${receiver}.${typeof topic === "string" ? topic : topic.session}`;
  }

  /** Reads a subject of a received message; undefined when it is not one of the scheme, addressed to this participant by another. */
  read(subject: string): Place | undefined {
    const [root, deployment, from, to, last, ...rest] = subject.split(".");
    if (`${root}.${deployment}` !== this.#prefix || to !== this.#self || last === undefined || rest.length > 0)
      return undefined;
    if (from === undefined || from === this.#self || !NAME.test(from)) return undefined;
    if (last === "channel" || last === "presence") return { from, topic: last };
    return SESSION.test(last) ? { from, topic: { session: last } } : undefined;
  }
}
