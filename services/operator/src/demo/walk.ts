import { relative } from "node:path";
import type { Key } from "@countersign/sdk";
import { operatorError } from "../errors.ts";
import { askSigner } from "../network/node-status.ts";
import { table } from "../table.ts";
import { waitUntil } from "../wait-until.ts";
import type { DemoNetwork } from "./demo-network.ts";
import { forgeRequest } from "./forge-request.ts";
import { type Judge, judges } from "./judges.ts";
import type { DemoReport } from "./report.ts";
import { openStolenStore } from "./stolen-disk.ts";

/** A killed process is gone at once; the kernel may take a moment to say so. */
const KILL_TIMEOUT_MS = 5_000;
/** Digits shown of each end of a long value. */
const ENDS = 8;

interface DemoKey {
  readonly key: Key;
  readonly judge: Judge;
}

/** Walks through the product on a running network; raises `demo_failed` when something is not as promised. */
export async function walk(network: DemoNetwork, report: DemoReport, scratch: string): Promise<void> {
  const keys = await createKeys(network, report);
  await showShares(network, report);
  report.part("Signatures", "approved by the administrator's credential; every signer checked that itself");
  for (const { key, judge } of keys) await sign(network, { key, judge }, "Pay 10 to the baker", report);
  await killNode(network, keys, report, scratch);
  await forge(network, keys, report);
}

async function createKeys({ client, deployment }: DemoNetwork, report: DemoReport): Promise<DemoKey[]> {
  report.part("Keys", "made by all nodes together: no dealer, no moment at which the private key exists");
  const keys: DemoKey[] = [];
  for (const judge of judges) {
    const { scheme, curve } = judge;
    const { value: key, took } = await report.timed(
      "key",
      () => client.createKey({ scheme, curve }),
      ({ id, publicKey }) => ({ keyId: id, scheme, curve, publicKey }),
    );
    keys.push({ key, judge });
    report.line(`${took}  ${scheme.padEnd(7)} ${curve.padEnd(9)}  ${key.id}  public key ${ends(key.publicKey)}`);
  }
  const { nodes } = deployment.descriptor;
  report.line(`every public key checked: acknowledged by all ${nodes.length} pinned nodes, whatever the API says`);
  return keys;
}

async function showShares({ deployment, services }: DemoNetwork, report: DemoReport): Promise<void> {
  report.part("Shares", "one per key and node, sealed under that node's own key-encryption key");
  const rows = await Promise.all(
    deployment.descriptor.nodes.map(async ({ id, region }) => {
      const address = services.find(({ name }) => name === id)?.address ?? "";
      const { keys } = await askSigner(deployment, id, address);
      const files = deployment.folder.node(id);
      const inData = (path: string) => relative(deployment.folder.root, path);
      return [id, region, `${keys} shares in ${inData(files.store)}`, `sealed under ${inData(files.kek)}`];
    }),
  );
  for (const line of table(rows)) report.line(line);
}

async function sign({ client }: DemoNetwork, { key, judge }: DemoKey, text: string, report: DemoReport) {
  const { value, took } = await report.timed(
    "sign",
    () => client.sign(key.id, judge.body(text)),
    ({ keyId, status, signature }) => ({ keyId, scheme: judge.scheme, status, ...signature }),
  );
  if (value.signature === undefined || !judge.accepts(key, text, value.signature))
    throw operatorError("demo_failed", `${judge.name} does not accept the signature of ${key.id}.`);
  const bytes = value.signature.r.slice(2) + value.signature.s.slice(2);
  report.line(`${took}  ${judge.scheme.padEnd(7)} "${text}"  ${ends(bytes)}  accepted by ${judge.name}`);
}

async function killNode(network: DemoNetwork, keys: readonly DemoKey[], report: DemoReport, scratch: string) {
  const { deployment, services } = network;
  const [victim, other] = deployment.descriptor.nodes;
  const pid = services.find(({ name }) => name === victim?.id)?.pid;
  if (victim === undefined || other === undefined || pid === undefined)
    throw operatorError("demo_failed", "The network has no node to kill.");
  process.kill(pid, "SIGKILL");
  if ((await waitUntil(() => hasEnded(pid), KILL_TIMEOUT_MS)) === undefined)
    throw operatorError("demo_failed", `${victim.id} survived SIGKILL.`);
  report.part("Node lost", `${victim.id} in ${victim.region} killed (SIGKILL); the others go on`);
  for (const key of keys) await sign(network, key, "Pay 20 to the miller", report);

  const theft = { nodeId: victim.id, kekOf: other.id, scratch };
  const { value: code } = await report.timed(
    "stolen-store",
    () => openStolenStore(deployment, theft),
    (refusal) => ({ nodeId: victim.id, refusal: refusal ?? "none" }),
  );
  if (code === undefined) throw operatorError("demo_failed", `${other.id}'s key opened ${victim.id}'s store.`);
  report.line(`its store, copied and opened with ${other.id}'s key-encryption key: refused (${code})`);
}

async function forge(network: DemoNetwork, [target]: readonly DemoKey[], report: DemoReport): Promise<void> {
  const node = network.deployment.descriptor.nodes.at(-1);
  if (target === undefined || node === undefined) throw operatorError("demo_failed", "There is nothing to forge.");
  report.part("Forgery", `a hostile API sends ${node.id} another payment under a genuine approval`);
  const approved = JSON.stringify(target.judge.body("Pay 10 to the baker"));
  const sent = JSON.stringify(target.judge.body("Pay 9,999 to a thief"));
  const { value: code, took } = await report.timed(
    "forgery",
    () => forgeRequest(network, { keyId: target.key.id, nodeId: node.id, approved, sent }),
    (refusal) => ({ nodeId: node.id, refusal: refusal ?? "none" }),
  );
  if (code === undefined) throw operatorError("demo_failed", `${node.id} signed what nobody approved.`);
  report.line(`${took}  approved "Pay 10 to the baker", sent "Pay 9,999 to a thief": refused (${code})`);
}

function hasEnded(pid: number): true | undefined {
  try {
    process.kill(pid, 0);
    return undefined;
  } catch {
    // No such process.
    return true;
  }
}

function ends(text: string): string {
  return `${text.slice(0, ENDS)}…${text.slice(-ENDS)}`;
}
