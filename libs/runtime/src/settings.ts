import { Type } from "typebox";

const path = Type.String({ pattern: "^/", description: "an absolute path" });
const tls = Type.Object({ ca: path, certificate: path, key: path }, { additionalProperties: false });

/** Settings that several services have, so that they are called and explained alike. */
export const settings = {
  /** Path of a file. */
  path,
  /** Where a service listens; port 0 takes a free one. */
  listen: Type.Object(
    {
      host: Type.String({ minLength: 1, description: "a host name or IP address" }),
      port: Type.Integer({ minimum: 0, maximum: 65_535 }),
    },
    { additionalProperties: false },
  ),
  /** Authority, certificate and key of mutual TLS, PEM files. */
  tls,
  /** The bus: any of the servers will do. With `tls` only a server with a certificate of that authority is spoken to. */
  nats: Type.Object(
    {
      servers: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
      seed: path,
      tls: Type.Optional(tls),
    },
    { additionalProperties: false },
  ),
  /** Least severe lines that are logged. */
  logLevel: Type.Union([
    Type.Literal("trace"),
    Type.Literal("debug"),
    Type.Literal("info"),
    Type.Literal("warn"),
    Type.Literal("error"),
    Type.Literal("fatal"),
  ]),
};
