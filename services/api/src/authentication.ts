import type { IncomingMessage } from "node:http";
import type { AuthorityState, Organisation } from "@countersign/authority";
import type { CountersignError } from "@countersign/errors";
import { apiError } from "./errors.ts";
import type { Tokens } from "./tokens.ts";

/** Who calls, as far as reading goes. What changes something is judged by evidence. */
export interface Caller {
  readonly orgId: string;
  readonly principalId: string;
  readonly appId: string;
  /** Id of the bearer token. */
  readonly tokenId: string;
}

/** What callers are judged by. */
export interface Authentication {
  readonly tokens: Tokens;
  /** Who may do what, as known now. */
  readonly state: () => AuthorityState;
}

/** The token68 form of RFC 6750; a JWT has nothing else. */
const BEARER = /^Bearer ([A-Za-z0-9._-]+)$/i;

/**
 * Finds out who calls from the bearer token and the optional application header. The organisation's state is asked every time:
 * a token outlives its holder's rights. Raises `token_invalid`, `application_refused`.
 */
export async function authenticate(request: IncomingMessage, { tokens, state }: Authentication): Promise<Caller> {
  const [, bearer] = BEARER.exec(singleHeader(request, "authorization") ?? "") ?? [];
  const token = bearer === undefined ? undefined : await tokens.readAccess(bearer);
  if (token === undefined) throw notAuthorized();
  const organisation = state().organisations.get(token.orgId);
  if (organisation?.principals.get(token.principalId)?.active !== true) throw notAuthorized();
  return { ...token, appId: applicationOf(organisation, singleHeader(request, "x-dfns-appid")) };
}

/** A header that two parsers could read differently, because it came twice, is refused as no authorisation at all. */
export function singleHeader(request: IncomingMessage, name: string): string | undefined {
  const { rawHeaders } = request;
  const values = rawHeaders.filter((_, place) => place % 2 === 1 && rawHeaders[place - 1]?.toLowerCase() === name);
  if (values.length > 1) throw notAuthorized();
  return values[0];
}

/** The application that the header names, else the organisation's default one, which is the first. */
function applicationOf(organisation: Organisation, named: string | undefined): string {
  const [first] = organisation.applications.keys();
  const appId = named ?? first ?? "";
  if (organisation.applications.get(appId)?.active !== true)
    throw apiError("application_refused", "The application is not an active one of the organisation.");
  return appId;
}

/** In the words of the reference; which check failed is nobody's business. */
function notAuthorized(): CountersignError {
  return apiError("token_invalid", "Not Authorized.");
}
