export {
  ACCESS_TOKEN_AUDIENCE,
  ACCESS_TOKEN_SECONDS_MAX,
  ACCESS_TOKEN_TYPE,
  type AccessTokenClaims,
  type AccessTokenHolder,
  APP_METADATA_CLAIM,
  accessTokenClaims,
  randomId,
  TOKEN_ALGORITHM,
  tokenHeader,
  tokenIssuer,
  tokenKeyId,
} from "./access-token.ts";
export {
  type ActionFields,
  actionDigest,
  type ChallengeMember,
  challengeMember,
  USER_ACTION_LABEL,
} from "./action-digest.ts";
export { type Approval, authorize, type JudgeClock, VALIDITY_MS_MAX } from "./authorize.ts";
export { type CredentialAlgorithm, CredentialKey, defaultCredId } from "./credential-key.ts";
export {
  attemptsMax,
  type Descriptor,
  type DescriptorNode,
  type DescriptorOperator,
  type DescriptorOrganisation,
  descriptorHash,
  parseDescriptor,
} from "./descriptor.ts";
export { authorityErrors } from "./errors.ts";
export {
  type Assertion,
  CLIENT_DATA_BYTES_MAX,
  CRED_ID_LENGTH_MAX,
  type Evidence,
  evidenceHash,
  ID_LENGTH_MAX,
  PATH_LENGTH_MAX,
  PAYLOAD_BYTES_MAX,
  requireEvidenceShape,
  SIGNATURE_BYTES_MAX,
} from "./evidence.ts";
export { requireSessionHeads, type SessionHeads, sessionHeads } from "./session-heads.ts";
export {
  type Application,
  type AuthorityState,
  apply,
  type Credential,
  type GenesisIds,
  genesisIds,
  type Organisation,
  type Principal,
} from "./state.ts";
