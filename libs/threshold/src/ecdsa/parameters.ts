// Parameters of suite 1 (ECDSA specification, section 2).

/** Suite id; any change of a byte on the wire gets another. */
export const SUITE = 1;
/** lam_c: OT-extension columns, the bits of the sender's secret correlation nabla. k = 1: one base OT and one block each. */
export const COLUMNS = 128;
/** lam_s: statistical security. */
const STATISTICAL_BITS = 80;
/** xi = kappa + 2*lam_s: rows of an OT-extension batch that count, the length of the gadget vector. */
export const GADGET_LENGTH = 256 + 2 * STATISTICAL_BITS;
/** sigma: bits of the universal hash. Its challenge is Fiat-Shamir, so that it needs computational strength. */
export const HASH_BITS = 128;
/** L': bits that each seed is expanded to; the last `HASH_BITS` mask the check. */
export const EXPANDED_BITS = GADGET_LENGTH + HASH_BITS;
export const EXPANDED_BYTES = EXPANDED_BITS / 8;
export const EXPANDED_WORDS = EXPANDED_BITS / 32;
/** Base-OT seeds, nonces, digests and scalars. */
export const WORD_SIZE = 32;
/** ell: inputs of a multiplication that count, r_i and sk_i. */
export const INPUTS = 2;
/** ell + rho: with the one check input. */
export const WIDTH = INPUTS + 1;
