import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import { SqliteDatabase } from "./sqlite-database.ts";
import { sqliteError } from "./sqlite-error.ts";
import type { Answer, Request, StoreFile } from "./sqlite-messages.ts";

// The worker of `openSqliteStore`: syncing blocks this thread, never the one that signs.
assert(parentPort !== null, "This module runs as a worker of the SQLite store.");
const port = parentPort;
const file: StoreFile = workerData;
let database: SqliteDatabase | undefined;

port.on("message", (request: Request) => {
  port.postMessage(answer(request));
  if (request.kind === "close") port.close();
});

function answer(request: Request): Answer {
  try {
    return { id: request.id, kind: "value", value: perform(request) };
  } catch (cause) {
    const { code, message } = sqliteError(cause);
    return { id: request.id, kind: "error", code, message };
  }
}

function perform(request: Request): unknown {
  if (request.kind === "open") {
    database = new SqliteDatabase(file.path, file.bytesMax);
    return undefined;
  }
  if (request.kind === "close") return database?.close();
  assert(database !== undefined, "The store is opened first.");
  switch (request.kind) {
    case "read":
      return database.read(request.keys);
    case "list":
      return database.list(request.range);
    case "count":
      return database.count(request.prefix);
    case "commit":
      return database.commit(request.group);
  }
}
