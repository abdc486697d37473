import type { Clock } from "../clock.ts";
import type { MeshCounters } from "../counters.ts";
import { RateLimit } from "../rate-limit.ts";
import { type BeatContent, openPresence, type PresenceVoice } from "./presence-message.ts";
import type { PresenceObserver } from "./presence-observer.ts";

/** Pause between signs of life (architecture 7). */
export const BEAT_MS = 250;
/** Pause between probes of one node: a round trip is fresh enough after a second, and costs two signatures. */
export const PROBE_MS = 1_000;
/** Watchers that get beats: orchestrator replicas, with room to replace them all at once. */
const WATCHERS_MAX = 16;
/** A watcher that sends no probe for this long gets no more beats. */
const WATCHER_FORGET_MS = 5_000;
/** Echoes per watcher: a watcher is not authenticated beyond its subject, and every echo costs a signature. */
const WATCHER_LIMIT = { burst: 10, perSecond: 4 };

export interface PresenceBeaconOptions {
  readonly deploymentId: string;
  readonly nodeIds: readonly string[];
  readonly clock: Clock;
  readonly counters: MeshCounters;
  readonly voice: PresenceVoice;
  readonly observer: PresenceObserver;
  readonly subjectTo: (receiver: string) => string;
  readonly beat: () => BeatContent;
  /** Called when a node proved to run a process that was not known before. */
  readonly onBooted: (nodeId: string, bootId: Uint8Array) => void;
}

/** The speaking half of a node's presence: beats to the other nodes and to every watcher that asks, echoes to who probes. */
export class PresenceBeacon {
  readonly #options: PresenceBeaconOptions;
  readonly #nodeIds: ReadonlySet<string>;
  readonly #watchers = new Map<string, { limit: RateLimit; seenAt: number }>();
  #beats = 0;
  #cancel = (): void => {};

  constructor(options: PresenceBeaconOptions) {
    this.#options = options;
    this.#nodeIds = new Set(options.nodeIds);
  }

  start(): void {
    this.#tick();
  }

  stop(): void {
    this.#cancel();
  }

  receive(from: string, subject: string, bytes: Uint8Array): void {
    if (!this.#nodeIds.has(from)) {
      this.#onWatcher(from, subject, bytes);
      return;
    }
    const { observer, voice, subjectTo, onBooted } = this.#options;
    const received = observer.receive(from, subject, bytes);
    if (received === undefined) return;
    const { content, bootId } = received.opened;
    if (content.kind === "probe") voice.say(subjectTo(from), { kind: "echo", random: content.random });
    if (received.booted) onBooted(from, bootId);
  }

  #tick(): void {
    const { clock, voice, subjectTo, beat, observer } = this.#options;
    this.#cancel = clock.setTimer(BEAT_MS, () => this.#tick());
    for (const [name, watcher] of this.#watchers)
      if (clock.now() - watcher.seenAt > WATCHER_FORGET_MS) this.#watchers.delete(name);
    const content = { kind: "beat", beat: beat() } as const;
    for (const receiver of [...this.#nodeIds, ...this.#watchers.keys()]) voice.say(subjectTo(receiver), content);
    if (this.#beats++ % (PROBE_MS / BEAT_MS) === 0) observer.probeAll();
  }

  /** A watcher may only probe: that makes this node echo, and beat towards it for a while. */
  #onWatcher(name: string, subject: string, bytes: Uint8Array): void {
    const { counters, clock, deploymentId, voice, subjectTo } = this.#options;
    const watcher = this.#watchers.get(name) ?? { limit: new RateLimit(clock, WATCHER_LIMIT), seenAt: 0 };
    if (!this.#watchers.has(name) && this.#watchers.size >= WATCHERS_MAX) {
      counters.drop("presence_limited");
      return;
    }
    if (!watcher.limit.take()) {
      counters.drop("presence_limited");
      return;
    }
    const opened = openPresence(deploymentId, subject, bytes);
    if (opened === undefined || !opened.isUnsigned || opened.content.kind !== "probe") {
      counters.drop("presence_malformed");
      return;
    }
    watcher.seenAt = clock.now();
    this.#watchers.set(name, watcher);
    voice.say(subjectTo(name), { kind: "echo", random: opened.content.random });
  }
}
