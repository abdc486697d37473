import type { IncomingMessage, ServerResponse } from "node:http";
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchemaCompiler,
  RawServerDefault,
} from "fastify";
import { type TSchema, Type } from "typebox";
import { type ConsumedAction, consumeUserAction } from "./actions/consume-user-action.ts";
import type { Api } from "./api.ts";
import { type Caller, singleHeader } from "./authentication.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who calls; null before authentication and on public routes. */
    caller: Caller | null;
  }
}

/** Where routes are registered. */
export type Routes = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** For operations without query parameters: a parameter without effect would not be what its caller meant. */
export const NO_QUERY = Type.Object({}, { additionalProperties: false });

/**
 * For operations whose body was approved: what it may hold was judged when its challenge was asked for, and what arrives now
 * is only compared with that, so a second reading of it here could but disagree.
 */
export const approvedBody: FastifySchemaCompiler<TSchema> = (route) =>
  route.httpPart === "body" ? () => true : TypeBoxValidatorCompiler(route);

/** The caller of a route behind authentication. */
export function callerOf({ caller }: Pick<FastifyRequest, "caller">): Caller {
  if (caller === null) throw new Error("A route that needs a caller is registered without authentication.");
  return caller;
}

/** Uses up the user action that the request carries. */
export function consumeOf(
  api: Api,
  request: Pick<FastifyRequest, "caller" | "method" | "bodyText" | "raw">,
): Promise<ConsumedAction> {
  return consumeUserAction(api, callerOf(request), {
    userAction: singleHeader(request.raw, "x-dfns-useraction"),
    method: request.method,
    url: request.raw.url ?? "",
    bodyText: request.bodyText,
  });
}

/** What is left of an operation's time since its request came in, milliseconds; at least 1. */
export function remainingMs({ elapsedTime }: Pick<FastifyReply, "elapsedTime">, msMax: number): number {
  return Math.max(1, Math.floor(msMax - elapsedTime));
}
