import { once } from "node:events";
import { type ClientHttp2Session, connect as http2Connect, type OutgoingHttpHeaders } from "node:http2";
import { connect as tcpConnect } from "node:net";
import { connect as tlsConnect } from "node:tls";
import type { TlsMaterial } from "@countersign/rpc";

/** What came back for bytes sent by hand. */
export interface RawAnswer {
  /** gRPC status; undefined when the stream or connection just ended. */
  readonly status: string | undefined;
  /** Our own code beside it. */
  readonly code: string | undefined;
}

/** A message as gRPC frames it: not compressed, its length, its bytes. */
export function framed(message: Uint8Array): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** An HTTP/2 connection to a gRPC port; without `tls` it shows no certificate. Whoever opens it destroys it. */
export function rawConnection(address: string, tls: TlsMaterial | { readonly ca: Uint8Array }): ClientHttp2Session {
  const own = "key" in tls ? { cert: Buffer.from(tls.certificate), key: Buffer.from(tls.key) } : {};
  const session = http2Connect(`https://${address}`, { ca: Buffer.from(tls.ca), servername: "localhost", ...own });
  // How a connection ends is told by what comes back on its streams.
  return session.on("error", () => {});
}

/** Posts bytes to a gRPC method and waits for the end of the stream, whatever it is. */
export async function post(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array,
  headers: OutgoingHttpHeaders = {},
): Promise<RawAnswer> {
  const said: Record<string, unknown> = {};
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("response", (head) => Object.assign(said, head));
  stream.on("trailers", (trailers) => Object.assign(said, trailers));
  stream.on("error", () => {});
  stream.resume();
  stream.end(body);
  await new Promise<void>((resolve) => stream.once("close", () => resolve()));
  const { "grpc-status": status, "countersign-error-bin": error } = said;
  const text = typeof error === "string" ? JSON.parse(Buffer.from(error, "base64").toString()) : undefined;
  return { status: typeof status === "string" ? status : undefined, code: text?.code };
}

/** Sends bytes to a port as they are, after a TLS handshake if `tls` is given, and waits until the other side hangs up. */
export async function sendBytes(address: string, bytes: Uint8Array, tls?: TlsMaterial): Promise<void> {
  const [host = "", port = ""] = address.split(":");
  const socket =
    tls === undefined
      ? tcpConnect(Number(port), host)
      : tlsConnect({
          host,
          port: Number(port),
          ca: Buffer.from(tls.ca),
          cert: Buffer.from(tls.certificate),
          key: Buffer.from(tls.key),
          servername: "localhost",
          ALPNProtocols: ["h2"],
        });
  socket.on("error", () => {});
  const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await Promise.race([once(socket, tls === undefined ? "connect" : "secureConnect"), gone]);
  socket.end(bytes);
  socket.resume();
  await gone;
}
