export { vaultStoreContract } from "./vault-store-contract.ts";
