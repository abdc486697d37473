// A process that starts the plans given as JSON, prints their process ids and waits to be killed.
import { type ServicePlan, startService } from "../service-process.ts";

const plans: ServicePlan[] = JSON.parse(process.argv[2] ?? "[]");
const services = await Promise.all(plans.map((plan) => startService(plan, AbortSignal.timeout(20_000))));
console.log(JSON.stringify(services.map(({ pid }) => pid)));
setInterval(() => {}, 1_000);
