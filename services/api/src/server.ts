import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import { type FastifyError, type FastifyReply, type FastifyRequest, fastify, LogController } from "fastify";
import { actionRoutes } from "./actions/action-routes.ts";
import type { Api } from "./api.ts";
import { authenticate } from "./authentication.ts";
import { Capacity } from "./capacity.ts";
import { errorAnswer, routeUnknown, toCountersignError } from "./error-answer.ts";
import { apiError } from "./errors.ts";
import { BODY_BYTES_MAX, readJsonBodies } from "./json-body.ts";
import type { KeyCreations } from "./keys/key-creations.ts";
import { keyRoutes } from "./keys/key-routes.ts";
import { describeApi } from "./openapi.ts";
import { HEALTH_PATH, publicRoutes } from "./public-routes.ts";
import type { Routes } from "./server-routes.ts";
import { signatureRoutes } from "./signatures/signature-routes.ts";
import type { Signing } from "./signatures/signing.ts";

/** Requests at once, over all operations: what each holds is bounded, so all of them together are. */
const REQUESTS_MAX = 512;
/** Sockets at once; a multiple of the requests, because clients keep connections open. */
const CONNECTIONS_MAX = 2_048;
/** A client that needs longer to send a request holds a socket for nothing. */
const REQUEST_MS_MAX = 15_000;
/** Tokens and tracing fit several times. */
const HEADER_BYTES_MAX = 16_384;
/** Between the requests of one connection; above what load balancers keep, so that they close first. */
const KEEP_ALIVE_MS = 75_000;

/** Identifiers of the API need no percent-encoding, so a path that has any, or a detour, names nothing. */
const LITERAL_PATH = /^(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)+(?:\?[^#]*)?$/;

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** What the server works with beside the API's parts. */
export interface ServerParts {
  readonly api: Api;
  readonly keyCreations: KeyCreations;
  readonly signing: Signing;
  /** Whether the service takes no new requests any more. */
  readonly isStopping: () => boolean;
}

/** Puts the API on HTTP; the caller lets it listen and closes it. */
export async function createServer(parts: ServerParts): Promise<Routes> {
  const { api } = parts;
  const app = fastify({
    loggerInstance: api.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: newRequestId,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: REQUEST_MS_MAX },
    forceCloseConnections: "idle",
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false },
    // Such a path never reaches the hooks; it names nothing, like every path with an escape.
    frameworkErrors: (_error, request, reply) => answerError(api, routeUnknown(), request, reply),
    clientErrorHandler: answerBrokenHttp,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.server.maxConnections = CONNECTIONS_MAX;
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  // Answers are written as they are: a serializer made from the schema would drop what a mistake left out of it.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  app.decorateRequest("caller", null);
  readJsonBodies(app);
  admitRequests(app, parts);
  app.setErrorHandler((error: FastifyError, request, reply) => answerError(api, error, request, reply));
  app.setNotFoundHandler((request, reply) => answerError(api, routeUnknown(), request, reply));
  await describeApi(app);
  await app.register(async (scope) => publicRoutes(scope.withTypeProvider(), api));
  await app.register(async (scope) => {
    scope.addHook("onRequest", async (request) => {
      request.caller = await authenticate(request.raw, api);
    });
    actionRoutes(scope.withTypeProvider(), api);
    keyRoutes(scope.withTypeProvider(), api, parts.keyCreations);
    signatureRoutes(scope.withTypeProvider(), api, parts.signing);
  });
  await app.ready();
  return app;
}

/** What every request passes before it is anybody's, and leaves with. */
function admitRequests(app: Routes, { api, isStopping }: ServerParts): void {
  const capacity = new Capacity(REQUESTS_MAX, () =>
    apiError("api_overloaded", `${REQUESTS_MAX} requests are being served already.`),
  );
  const places = new WeakMap<object, () => void>();
  app.addHook("onRequest", async (request, reply) => {
    reply.headers({ ...HEADERS, "x-request-id": request.id });
    if (isStopping()) throw apiError("api_stopping", "The API is shutting down.");
    if (!LITERAL_PATH.test(request.raw.url ?? "")) throw routeUnknown();
    if (request.raw.url !== HEALTH_PATH) places.set(request.raw, capacity.enter());
  });
  app.addHook("onSend", async (_request, reply) => {
    // Also for requests that came before: a connection kept open would keep the process.
    if (isStopping()) reply.header("connection", "close");
  });
  // Also called when the client went away; what it started runs on within the bounds of its own operation.
  app.addHook("onResponse", async (request, reply) => {
    places.get(request.raw)?.();
    const { id: requestId, method, routeOptions, caller } = request;
    const facts = { requestId, method, route: routeOptions.url ?? "", status: reply.statusCode };
    api.log.info({ ...facts, principalId: caller?.principalId, ms: Math.round(reply.elapsedTime) }, "answered");
  });
}

function answerError(api: Api, raised: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toCountersignError(raised);
  const answer = errorAnswer(error, request.id);
  const facts = { requestId: request.id, code: error.code, status: answer.status };
  // A refusal is the caller's affair; the rest is ours, with its cause.
  if (error.kind === "bug") api.log.error({ ...facts, err: error }, error.message);
  else if (error.kind !== "refusal") api.log.warn({ ...facts, err: error }, error.message);
  reply.headers({ ...HEADERS, "x-request-id": request.id });
  if (answer.retryAfterSeconds !== undefined) reply.header("retry-after", answer.retryAfterSeconds);
  if (answer.status === 401) reply.header("www-authenticate", "Bearer");
  return reply.status(answer.status).type("application/json; charset=utf-8").send(answer.body);
}

/** Bytes that are no HTTP request never reach a handler; they get the same shape of answer. */
function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const raised = apiError("request_invalid", "The bytes received are no HTTP request that the API reads.");
  const { body, status } = errorAnswer(raised, newRequestId());
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${status} Bad Request\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}

/** Decimal, as the reference's error ids are. */
function newRequestId(): string {
  return randomBytes(8).readBigUInt64BE().toString();
}
