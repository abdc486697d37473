/** Bounds of a server; a service lowers what it does not need. */
export interface RpcLimits {
  /** Largest request, bytes of protobuf after decompression. Default 4 MiB. */
  readonly requestBytesMax: number;
  /** Largest response, bytes of protobuf. Default 4 MiB. */
  readonly responseBytesMax: number;
  /** Calls in flight per caller, over all its connections. Default 128. */
  readonly callsPerCallerMax: number;
  /** Deadline of a call that brings none, milliseconds. Default 10,000. */
  readonly deadlineDefaultMs: number;
  /** Longest deadline; a later one is cut to it, milliseconds. Default 120,000. */
  readonly deadlineMaxMs: number;
}

/** Largest message either way: a group of 200 partial signatures with its commitments stays under 1 MB, a full log push under 4. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Calls in flight per caller: several times the load of section 12 of the architecture, and a bound for what one caller can make us hold. */
export const CALLS_PER_CALLER_MAX = 128;
/** The architecture's deadline for a signature. */
export const DEADLINE_DEFAULT_MS = 10_000;
/** Twice the architecture's deadline for a key generation. */
export const DEADLINE_MAX_MS = 120_000;
/** Request headers: a few hundred bytes of our own, the rest is room for tracing. */
export const HEADER_BYTES_MAX = 16 * 1024;
/** A handshake takes two round trips; who needs longer holds a socket for nothing. */
export const HANDSHAKE_MS_MAX = 5_000;
/** How long a client waits for a connection before its calls fail; a paused or unreachable host would hold them to their deadline. */
export const CONNECT_MS_MAX = 2_000;
/** First pause before a dead server is tried again. */
export const RECONNECT_MS_MIN = 100;
/** Longest pause, so that a restarted server is used again within about a second; a refused connection on a network costs nothing. */
export const RECONNECT_MS_MAX = 500;
/** A quiet connection is probed this often; a paused process keeps its sockets open and shows in no other way. */
export const KEEPALIVE_MS = 5_000;
/** A probe without an answer for this long means that the connection is dead. */
export const KEEPALIVE_MS_MAX = 2_000;
/** After a forced shutdown handlers get this long to notice their signal. */
export const ABORT_MS_MAX = 1_000;
/** Answers that were given get this long to leave before their connections are cut. */
export const FLUSH_MS_MAX = 250;
/** Health watches live this long, then the watcher comes again; a stream without an end would outlive its certificate. */
export const WATCH_MS_MAX = 3_600_000;

export const DEFAULT_LIMITS: RpcLimits = {
  requestBytesMax: MESSAGE_BYTES_MAX,
  responseBytesMax: MESSAGE_BYTES_MAX,
  callsPerCallerMax: CALLS_PER_CALLER_MAX,
  deadlineDefaultMs: DEADLINE_DEFAULT_MS,
  deadlineMaxMs: DEADLINE_MAX_MS,
};
