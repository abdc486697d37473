// The picture of the architecture: services -> libs -> proto, and within libs only the arrows named here.
const TEST = "\\.test\\.ts$|/testing/";
const lib = (name) => `^libs/${name}/`;

/** Which libs of ours each lib may import. */
const ARROWS = {
  errors: [],
  bytes: ["errors"],
  threshold: ["bytes", "errors"],
  intent: ["bytes", "errors"],
  authority: ["bytes", "errors", "intent"],
  sdk: ["authority", "bytes", "errors", "intent"],
  vault: ["bytes", "errors"],
  mesh: ["bytes", "errors", "threshold"],
  wire: ["authority", "bytes", "errors", "threshold"],
  rpc: ["errors"],
  runtime: ["bytes", "errors"],
};

module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: { pathNot: TEST },
      to: { circular: true, viaOnly: { pathNot: "/gen/" } },
    },
    { name: "libs-know-no-service", severity: "error", from: { path: "^libs/" }, to: { path: "^services/" } },
    { name: "proto-is-the-ground", severity: "error", from: { path: "^proto/" }, to: { path: "^(libs|services)/" } },
    {
      name: "services-never-import-each-other",
      severity: "error",
      from: { path: "^services/([^/]+)/", pathNot: TEST },
      to: { path: "^services/", pathNot: "^services/$1/" },
    },
    ...Object.entries(ARROWS).map(([name, allowed]) => ({
      name: `${name}-imports-only-${allowed.join("-") || "nothing-of-ours"}`,
      severity: "error",
      from: { path: lib(name), pathNot: TEST },
      to: { path: "^libs/", pathNot: [name, ...allowed].map(lib).join("|") },
    })),
    {
      name: "enter-a-package-by-its-index",
      severity: "error",
      from: { path: "^(libs|services|test)/([^/]+)/" },
      to: { path: "^libs/[^/]+/src/", pathNot: "^libs/[^/]+/src/(testing/)?index\\.ts$|^$1/$2/" },
    },
    {
      name: "testing-entries-are-for-tests",
      severity: "error",
      from: { path: "^(libs|services)/", pathNot: TEST },
      to: { path: "/testing/" },
    },
    {
      name: "threshold-is-pure",
      comment: "Protocols get network, clock and randomness passed in.",
      severity: "error",
      from: { path: "^libs/(threshold|authority|intent)/", pathNot: TEST },
      to: { path: "^(node:)?(fs|net|http|https|child_process|worker_threads|timers|dgram|tls)(/|$)" },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules|/gen/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".d.ts"],
    },
  },
};
