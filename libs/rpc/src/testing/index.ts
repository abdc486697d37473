export { type Authority, createAuthority } from "./certificates.ts";
