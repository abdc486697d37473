import { Type } from "typebox";

/** Settings that several services have, so that they are called and explained alike. */
export const settings = {
  /** Path of a file. */
  path: Type.String({ pattern: "^/", description: "an absolute path" }),
  /** Where a service listens; port 0 takes a free one. */
  listen: Type.Object(
    {
      host: Type.String({ minLength: 1, description: "a host name or IP address" }),
      port: Type.Integer({ minimum: 0, maximum: 65_535 }),
    },
    { additionalProperties: false },
  ),
  /** Authority, certificate and key of mutual TLS, PEM files. */
  tls: Type.Object(
    {
      ca: Type.String({ pattern: "^/", description: "an absolute path" }),
      certificate: Type.String({ pattern: "^/", description: "an absolute path" }),
      key: Type.String({ pattern: "^/", description: "an absolute path" }),
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
