import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/** What an honest server of ours announces. */
const MAX_PAYLOAD = 1_048_576;

/** One connection of a client. */
interface Client {
  readonly socket: Socket;
  /** Subject by subscription id. */
  readonly subscriptions: Map<string, string>;
  unread: Buffer;
}

/**
 * A bus that lets anybody in, carries messages, and says to its clients whatever a test wants at any time: the parts of the NATS
 * protocol that `connectNats` uses, on a free port.
 */
export class HostileNatsServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  #maxPayload = MAX_PAYLOAD;
  /** PONGs that clients answered to PINGs of `heard`. */
  #pongs = 0;
  /** Messages that clients published. */
  published = 0;

  private constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(): Promise<HostileNatsServer> {
    const server = new HostileNatsServer();
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get url(): string {
    const address = this.#server.address();
    return `nats://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  /** Announces another bound to whoever is connected, and whoever connects later. */
  announce(maxPayload: number): void {
    this.#maxPayload = maxPayload;
    this.say(this.#info());
  }

  /** Sends a line to everybody. */
  say(line: string): void {
    for (const { socket } of this.#clients) socket.write(`${line}\r\n`);
  }

  /** Asks everybody to answer; returns whether all did, which they do after reading what was said before. */
  heard(): () => boolean {
    const expected = this.#pongs + this.#clients.size;
    this.say("PING");
    return () => this.#pongs >= expected;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#clients) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #info(): string {
    const facts = { server_id: "hostile", version: "2.10.0", proto: 1, headers: true, nonce: "chosen-by-the-server" };
    return `INFO ${JSON.stringify({ ...facts, max_payload: this.#maxPayload })}`;
  }

  #accept(socket: Socket): void {
    const client: Client = { socket, subscriptions: new Map(), unread: Buffer.alloc(0) };
    this.#clients.add(client);
    socket.on("error", () => {}); // A client that breaks off is what some tests are about.
    socket.on("close", () => this.#clients.delete(client));
    socket.on("data", (bytes) => {
      client.unread = Buffer.concat([client.unread, bytes]);
      while (this.#readOne(client));
    });
    socket.write(`${this.#info()}\r\n`);
  }

  /** Reads one line, with the payload that follows it; false when it is not all there yet. */
  #readOne(client: Client): boolean {
    const end = client.unread.indexOf("\r\n");
    if (end < 0) return false;
    const [verb = "", ...words] = client.unread.toString("latin1", 0, end).split(" ");
    const size = verb === "PUB" ? Number(words.at(-1)) + 2 : 0;
    if (client.unread.length < end + 2 + size) return false;
    const payload = client.unread.subarray(end + 2, end + 2 + size);
    client.unread = client.unread.subarray(end + 2 + size);
    this.#obey(client, verb, words, payload);
    return true;
  }

  #obey(client: Client, verb: string, words: readonly string[], payload: Buffer): void {
    const [first = "", second = ""] = words;
    if (verb === "PING") client.socket.write("PONG\r\n");
    if (verb === "PONG") this.#pongs++;
    if (verb === "SUB") client.subscriptions.set(second, first);
    if (verb === "UNSUB") client.subscriptions.delete(first);
    if (verb === "PUB") this.#carry(first, payload);
  }

  /** `payload` ends with its line break. */
  #carry(subject: string, payload: Buffer): void {
    this.published++;
    for (const { socket, subscriptions } of this.#clients)
      for (const [id, pattern] of subscriptions)
        if (isMatch(pattern, subject))
          socket.write(Buffer.concat([Buffer.from(`MSG ${subject} ${id} ${payload.length - 2}\r\n`), payload]));
  }
}

function isMatch(pattern: string, subject: string): boolean {
  const parts = subject.split(".");
  const wanted = pattern.split(".");
  const isOpen = wanted.at(-1) === ">";
  if (isOpen ? parts.length < wanted.length : parts.length !== wanted.length) return false;
  return wanted.every((one, at) => one === "*" || (one === ">" && at === wanted.length - 1) || one === parts[at]);
}
