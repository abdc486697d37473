import { fromPublic } from "@nats-io/nkeys";
import { ENVELOPE_BYTES_MAX } from "../envelope.ts";
import { meshError } from "../errors.ts";
import { checkName } from "./subjects.ts";

/** Bytes the server holds for one slow participant before it cuts it off: a second of the largest envelopes. */
const PENDING_BYTES_MAX = 16_777_216;
/** Subscriptions of one connection: a participant needs one. */
const SUBSCRIPTIONS_MAX = 4;
/** Connections: far more than participants, because strangers who have not yet failed to log in count too. */
const CONNECTIONS_MAX = 1_024;

/** What a server of the bus must know. */
export interface NatsConfigurationOptions {
  /** Address to listen on. */
  readonly host: string;
  /** Port to listen on; -1 for any free one. */
  readonly port: number;
  readonly deploymentId: string;
  readonly nodes: readonly { readonly id: string; readonly natsKey: string }[];
  readonly orchestrators: readonly { readonly name: string; readonly natsKey: string }[];
  /** Folder where the server writes the ports it took. Default: none. */
  readonly portsFolder?: string;
  /** PEM files. Default: no TLS, for a bus that is reached over loopback alone. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly ca: string };
}

/**
 * The configuration of a nats-server (written for 2.9 features): an nkey per participant, and permissions by which node i
 * publishes only as itself and subscribes only what is sent to it, orchestrators presence alone. There is no user without a key.
 * Refuses names and keys that could not stand in it with `mesh_name_invalid`.
 */
export function natsConfiguration(options: NatsConfigurationOptions): string {
  const { host, port, deploymentId, nodes, orchestrators, portsFolder, tls } = options;
  const prefix = `cs.${checkName(deploymentId, "Deployment")}`;
  const names = [...nodes.map(({ id }) => id), ...orchestrators.map(({ name }) => name)];
  const keys = [...nodes, ...orchestrators].map(({ natsKey }) => natsKey);
  if (new Set(names).size !== names.length || new Set(keys).size !== keys.length)
    throw meshError("mesh_name_invalid", "Two participants of the bus have the same name or key.");
  const users = [
    ...nodes.map(({ id, natsKey }) => user(natsKey, `${prefix}.${checkName(id, "Node")}.>`, `${prefix}.*.${id}.>`)),
    ...orchestrators.map(({ name, natsKey }) => {
      checkName(name, "Orchestrator");
      return user(natsKey, `${prefix}.${name}.*.presence`, `${prefix}.*.${name}.presence`);
    }),
  ];
  return `${[
    `host: ${JSON.stringify(host)}`,
    `port: ${port}`,
    ...(portsFolder === undefined ? [] : [`ports_file_dir: ${JSON.stringify(portsFolder)}`]),
    ...(tls === undefined ? [] : [tlsBlock(tls)]),
    `max_payload: ${ENVELOPE_BYTES_MAX}`,
    `max_pending: ${PENDING_BYTES_MAX}`,
    `max_subscriptions: ${SUBSCRIPTIONS_MAX}`,
    `max_connections: ${CONNECTIONS_MAX}`,
    'write_deadline: "2s"',
    'ping_interval: "5s"',
    "ping_max: 2",
    "authorization {",
    "  timeout: 2",
    "  users = [",
    ...users,
    "  ]",
    "}",
  ].join("\n")}\n`;
}

function user(natsKey: string, publish: string, subscribe: string): string {
  return `    { nkey: ${checkKey(natsKey)}, permissions: { publish: { allow: ["${publish}"] }, subscribe: { allow: ["${subscribe}"] } } }`;
}

function checkKey(natsKey: string): string {
  try {
    if (natsKey.startsWith("U") && fromPublic(natsKey).getPublicKey() === natsKey) return natsKey;
  } catch (cause) {
    throw meshError("mesh_name_invalid", "A participant's nkey is not a public key.", { cause });
  }
  throw meshError("mesh_name_invalid", "A participant's nkey is not a user's.");
}

function tlsBlock({ certificate, key, ca }: { certificate: string; key: string; ca: string }): string {
  const files = { cert_file: certificate, key_file: key, ca_file: ca };
  const lines = Object.entries(files).map(([name, path]) => `  ${name}: ${JSON.stringify(path)}`);
  return ["tls {", ...lines, "  verify: true", "}"].join("\n");
}
