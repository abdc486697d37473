import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type ActionFields, actionDigest, challengeMember } from "@countersign/authority";
import { base64url } from "@countersign/bytes";
import { deriveId } from "@countersign/intent";

/** One request as it arrived. */
export interface Arrival {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** What a hostile or broken API may do differently. */
export interface Behaviour {
  /** Replaces the answer of a route, by `METHOD path`. */
  readonly answers?: Readonly<Record<string, (response: ServerResponse) => void>>;
  /** Commits the challenge to other fields than the request has. */
  readonly commitTo?: Partial<ActionFields>;
  /** Bends the challenge answer. */
  readonly bend?: (answer: ReturnType<typeof challengeAnswer>) => unknown;
}

export const KEY_ID = deriveId("key", new Uint8Array(32).fill(3), 0);

/** An API of a few routes on a free port, that records what arrives. Close it when done. */
export async function startApi(behaviour: Behaviour = {}) {
  const arrivals: Arrival[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const arrival = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
    arrivals.push(arrival);
    const own = behaviour.answers?.[`${arrival.method} ${arrival.url}`];
    if (own !== undefined) return own(response);
    answer(response, 200, route(arrival, behaviour, arrivals));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${port}`, arrivals, [Symbol.asyncDispose]: close };
}

/** Answers with JSON. */
export function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function route({ method, url, body }: Arrival, behaviour: Behaviour, arrivals: readonly Arrival[]): unknown {
  switch (`${method} ${url}`) {
    case "POST /auth/action/init": {
      const good = challengeAnswer(body, behaviour.commitTo ?? {});
      return behaviour.bend === undefined ? good : behaviour.bend(good);
    }
    case "POST /auth/action":
      return { userAction: "single-use" };
    case "POST /keys":
      return keyAnswer(approvedKeyId(arrivals));
    case `GET /keys/${KEY_ID}`:
      return { ...keyAnswer(KEY_ID), wallets: [] };
    case "GET /keys":
    case "GET /keys?limit=1&paginationToken=a%2Bb":
      return { items: [keyAnswer(KEY_ID)], nextPageToken: "next" };
    case `POST /keys/${KEY_ID}/signatures`:
      return signatureAnswer();
    case `GET /keys/${KEY_ID}/signatures`:
      return { items: [signatureAnswer()], keyId: KEY_ID };
    default:
      return { ok: true };
  }
}

function challengeAnswer(body: string, commitTo: Partial<ActionFields>) {
  const { userActionPayload, userActionHttpMethod, userActionHttpPath } = JSON.parse(body);
  const fields = {
    deploymentId: "dep-test",
    orgId: "or-1",
    principalId: "us-1",
    appId: "ap-1",
    method: String(userActionHttpMethod),
    path: String(userActionHttpPath),
    payload: String(userActionPayload),
    nonce: new Uint8Array(randomBytes(32)),
    expiresAtMs: Date.now() + 240_000,
  };
  return {
    challenge: base64url(actionDigest({ ...fields, ...commitTo })),
    challengeIdentifier: "challenge-token",
    allowCredentials: { key: [], webauthn: [] },
    countersign: { ...challengeMember(fields) },
  };
}

/** The id of the key that the last approval creates: from the challenge that was signed. */
function approvedKeyId(arrivals: readonly Arrival[]): string {
  const approval = arrivals.findLast(({ url }) => url === "/auth/action")?.body ?? "{}";
  const { clientData } = JSON.parse(approval).firstFactor.credentialAssertion;
  const { challenge } = JSON.parse(Buffer.from(clientData, "base64url").toString());
  return deriveId("key", new Uint8Array(Buffer.from(challenge, "base64url")), 0);
}

function keyAnswer(id: string) {
  const dateCreated = "2026-01-01T00:00:00.000Z";
  return {
    id,
    scheme: "EdDSA",
    curve: "ed25519",
    publicKey: "ab".repeat(32),
    status: "Active",
    custodial: true,
    dateCreated,
  };
}

function signatureAnswer() {
  const signature = {
    r: `0x${"11".repeat(32)}`,
    s: `0x${"22".repeat(32)}`,
    encoded: `0x${"11".repeat(32)}${"22".repeat(32)}`,
  };
  return { id: "sig-1", keyId: KEY_ID, status: "Signed", signature, requester: { userId: "us-1" } };
}
