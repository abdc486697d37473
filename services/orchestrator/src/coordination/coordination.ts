/** Exclusive right to run one request, for a bounded time. */
export interface Lease {
  /** Rises with every grant of the same name; later writes fence earlier holders. */
  readonly fencingToken: number;
  /**
   * Gives the lease up; harmless once it is lost. Need not be awaited: it never rejects, what this orchestrator acquires later comes
   * after it, and `close` waits for it.
   */
  release(): Promise<void>;
}

/**
 * What orchestrators agree on among themselves. Safety never depends on it: signers count attempts and refuse reused sessions
 * themselves. Losing all of it costs at most a retry.
 */
export interface Coordination {
  /**
   * Grants the lease of `name` for `ttlMs`, or undefined while another holds it; a holder that dies may lose it sooner. Raises nothing:
   * see `openCoordination`.
   */
  acquire(name: string, ttlMs: number): Promise<Lease | undefined>;
  close(): Promise<void>;
}
