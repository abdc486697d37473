import { DEFAULTS, NODES_MAX } from "../network/network-plan.ts";
import { dataFlag } from "./network-flags.ts";

const PORT_MAX = 65_535;

/** Flags that say what a local network is to be. */
export const planFlags = {
  nodes: {
    kind: "number",
    placeholder: "N",
    min: 2,
    max: NODES_MAX,
    help: `signer nodes of a new deployment (default: ${DEFAULTS.nodes})`,
  },
  threshold: {
    kind: "number",
    placeholder: "T",
    min: 2,
    max: NODES_MAX,
    help: `nodes that a signature needs (default: ${DEFAULTS.threshold})`,
  },
  port: {
    kind: "number",
    placeholder: "PORT",
    min: 0,
    max: PORT_MAX,
    help: `port of the API; 0 takes any free one (default: ${DEFAULTS.port})`,
  },
  ...dataFlag,
} as const;
