import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { JsonMembers, type JsonValue, parseJson } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import { operatorError, operatorErrors } from "../errors.ts";

/** What another command may ask of the process that supervises a network. */
export type ControlRequest = "status" | "start" | "stop";

/** Answers a request; `progress` sends a line for people ahead of the answer. */
export type ControlHandler = (request: ControlRequest, progress: (line: string) => void) => Promise<JsonValue>;

/** Longest path of a Unix socket that every system takes (macOS 104 with its final zero, Linux 108). */
const SOCKET_PATH_BYTES_MAX = 103;
/** A request is one word; a peer that sends more is not ours. */
const REQUEST_BYTES_MAX = 64;
/** An answer names a few services; an error quotes some log lines. */
const ANSWER_LENGTH_MAX = 65_536;

/**
 * Path of the control socket: in the data folder, or, when that path is too long for a socket, in a folder under the
 * temporary one that belongs to this user alone.
 */
export async function controlSocketPath(runFolder: string): Promise<string> {
  const path = join(runFolder, "control.sock");
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
  const { uid } = userInfo();
  const folder = join(tmpdir(), `countersign-${uid}`);
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const { uid: owner, mode } = await lstat(folder);
  // The temporary folder is everybody's: somebody else's folder of that name could listen in.
  if (owner !== uid || (mode & 0o077) !== 0)
    throw operatorError(
      "data_folder_foreign",
      `${folder} is not a private folder of yours; remove it, or use a shorter --data path.`,
    );
  return join(folder, `${createHash("sha256").update(runFolder).digest("hex").slice(0, 32)}.sock`);
}

/** Listens on the control socket; the caller holds the folder's lock, so a socket that is there is a leftover. */
export async function serveControl(path: string, handler: ControlHandler): Promise<{ close(): Promise<void> }> {
  await rm(path, { force: true });
  const waiting = new Set<Socket>();
  const answering = new Set<Promise<void>>();
  const server = createServer((socket) => {
    waiting.add(socket);
    // A client that left does not concern the network.
    socket.on("error", () => {});
    const answered = answer(socket, (request, progress) => {
      waiting.delete(socket);
      return handler(request, progress);
    }).finally(() => {
      waiting.delete(socket);
      answering.delete(answered);
    });
    answering.add(answered);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(path, resolve);
  await promise;
  await chmod(path, 0o600);
  return {
    async close() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      for (const socket of waiting) socket.destroy();
      // Whoever asked for the stop hears that it is done.
      await Promise.all(answering);
      await closed.promise;
    },
  };
}

/**
 * Asks the supervisor behind the socket; undefined when nobody listens there. Raises the supervisor's own error, or
 * `supervisor_silent` when `signal` aborts before the answer.
 */
export async function askSupervisor(
  path: string,
  request: ControlRequest,
  { progress = () => {}, signal }: { progress?: (line: string) => void; signal: AbortSignal },
): Promise<JsonValue | undefined> {
  const socket = connect(path);
  const { promise: connected, resolve, reject } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(true));
  socket.once("error", (error: NodeJS.ErrnoException) =>
    error.code === "ENOENT" || error.code === "ECONNREFUSED" ? resolve(false) : reject(error),
  );
  if (!(await connected)) return undefined;
  const end = () => socket.destroy();
  signal.addEventListener("abort", end, { once: true });
  try {
    socket.write(`${request}\n`);
    for await (const line of linesOf(socket)) {
      const message = new JsonMembers(parseJson(line, "control answer"), "control answer", silent);
      if (message.has("progress")) progress(message.text("progress", { lengthMax: ANSWER_LENGTH_MAX }));
      if (message.has("result")) return message.value("result");
      if (message.has("error")) throw remoteError(message.object("error"));
    }
  } finally {
    signal.removeEventListener("abort", end);
    socket.destroy();
  }
  throw silent("It closed the connection.");
}

function silent(sentence: string): CountersignError {
  return operatorError(
    "supervisor_silent",
    `The process that supervises this network did not answer. ${sentence} \`countersign doctor\` tells which it is.`,
  );
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = "";
  socket.setEncoding("utf8");
  try {
    for await (const chunk of socket) {
      rest += chunk;
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > ANSWER_LENGTH_MAX) return;
      yield* lines;
    }
  } catch {
    // The connection broke or was given up: there are no more lines, and the caller says so.
  }
}

async function answer(socket: Socket, handler: ControlHandler): Promise<void> {
  const send = (message: JsonValue) => socket.write(`${JSON.stringify(message)}\n`);
  const request = await firstLine(socket);
  if (request !== "status" && request !== "start" && request !== "stop") {
    socket.destroy();
    return;
  }
  try {
    send({ result: await handler(request, (line) => send({ progress: line })) });
  } catch (error) {
    const known = error instanceof CountersignError;
    send({ error: { code: known ? error.code : "internal", message: known ? error.message : String(error) } });
  }
  socket.end();
}

function firstLine(socket: Socket): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  let text = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    if (text.length <= REQUEST_BYTES_MAX) text += chunk;
    const end = text.indexOf("\n");
    if (end !== -1) resolve(text.slice(0, end));
    else if (text.length > REQUEST_BYTES_MAX) resolve(undefined);
  });
  socket.once("close", () => resolve(undefined));
  return promise;
}

function remoteError(error: JsonMembers): CountersignError {
  const code = error.text("code", { lengthMax: ANSWER_LENGTH_MAX });
  const message = error.text("message", { lengthMax: ANSWER_LENGTH_MAX });
  return operatorError(isOurs(code) ? code : "service_not_ready", message);
}

function isOurs(code: string): code is keyof typeof operatorErrors {
  return Object.hasOwn(operatorErrors, code);
}
