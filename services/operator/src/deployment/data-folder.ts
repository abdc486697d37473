import { join } from "node:path";

/** Where one party to TLS keeps its certificate. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Paths of one signer node: all that a node holds is under its own folder, so that one can see that shares never meet. */
export interface NodeFolder {
  readonly folder: string;
  readonly settings: string;
  readonly identitySeed: string;
  readonly natsSeed: string;
  readonly kek: string;
  readonly store: string;
  readonly storeMark: string;
  readonly tls: TlsFiles;
}

/** Names of every path in a data folder. */
export type DataFolder = ReturnType<typeof dataFolder>;

/** The layout of a data folder; touches nothing. */
export function dataFolder(root: string) {
  const tls = (folder: string): TlsFiles => ({
    certificate: join(folder, "tls", "certificate.pem"),
    key: join(folder, "tls", "key.pem"),
  });
  return {
    root,
    /** Written last: a folder without it was never finished. */
    marker: join(root, "deployment.json"),
    descriptor: join(root, "descriptor.json"),
    authority: { certificate: join(root, "tls", "authority.pem"), key: join(root, "tls", "authority-key.pem") },
    node(id: string): NodeFolder {
      const folder = join(root, "nodes", id);
      return {
        folder,
        settings: join(folder, "signer.json"),
        identitySeed: join(folder, "identity.seed"),
        natsSeed: join(folder, "nats.seed"),
        kek: join(folder, "kek"),
        store: join(folder, "store", "signer.sqlite"),
        storeMark: join(folder, "store.mark"),
        tls: tls(folder),
      };
    },
    operatorKey: (nodeId: string) => join(root, "operators", `${nodeId}.pem`),
    command: { tls: tls(join(root, "operators")) },
    orchestrator: {
      settings: join(root, "orchestrator", "orchestrator.json"),
      natsSeed: join(root, "orchestrator", "nats.seed"),
      tls: tls(join(root, "orchestrator")),
    },
    api: {
      settings: join(root, "api", "api.json"),
      tokenKey: join(root, "api", "token-key.pem"),
      database: join(root, "api", "database"),
      tls: tls(join(root, "api")),
    },
    admin: { privateKey: join(root, "admin", "private-key.pem"), token: join(root, "admin", "token") },
    nats: { folder: join(root, "nats"), settings: join(root, "nats", "server.conf") },
    redis: { folder: join(root, "redis"), settings: join(root, "redis", "redis.conf") },
    logs: join(root, "logs"),
    log: (service: string) => join(root, "logs", `${service}.log`),
    run: join(root, "run"),
    lock: join(root, "run", "lock"),
    supervisorPid: join(root, "run", "supervisor.pid"),
    /** Everything this project ever puts at the top of a data folder; `down --wipe` removes these and nothing else. */
    entries: ENTRIES.map((entry) => join(root, entry)),
  };
}

/** Names at the top of a data folder. The marker goes first: an interrupted wipe leaves an unfinished folder, not a broken one. */
export const ENTRIES = [
  "deployment.json",
  "descriptor.json",
  "nodes",
  "operators",
  "orchestrator",
  "api",
  "admin",
  "tls",
  "nats",
  "redis",
  "logs",
  "run",
] as const;
