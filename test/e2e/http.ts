import { request as httpRequest, type OutgoingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

/** One request exactly as given: no path is tidied, no header is added but those that HTTP demands. */
export interface HttpRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
}

/** What the API answered. */
export interface HttpAnswer {
  readonly status: number;
  /** `error.code` of an error answer. */
  readonly code: string | undefined;
  readonly text: string;
}

/** Longest that the API is given. */
const ANSWER_MS_MAX = 30_000;

/** Sends a request on a connection of its own. */
export async function ask(
  apiUrl: string,
  { method = "GET", path, headers = {}, body }: HttpRequest,
): Promise<HttpAnswer> {
  const { hostname, port } = new URL(apiUrl);
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const request = httpRequest({ hostname, port, method, path, headers, agent: false, signal }, async (response) => {
    const answer = await text(response);
    resolve({ status: response.statusCode ?? 0, code: codeIn(answer), text: answer });
  });
  request.once("error", reject);
  request.end(body);
  return promise;
}

/** Sends bytes and returns everything that comes back until the other side hangs up. */
export async function say(url: string, bytes: string | Uint8Array): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname, () => socket.write(bytes));
  socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error("The other side did not hang up.")));
  return text(socket);
}

/** `error.code` of a JSON answer, wherever in the text it begins. */
export function codeIn(answer: string): string | undefined {
  return /"code":"([a-z_]+)"/.exec(answer)?.[1];
}
