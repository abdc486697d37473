export { runtimeErrors } from "./errors.ts";
export { createLog, describeError, type Log } from "./log.ts";
export { readBounded, readSecret, readTls, type TlsPaths } from "./read-file.ts";
export {
  DRAIN_MS_MAX,
  EXIT,
  type RunningService,
  runService,
  type ServiceDefinition,
  type ServiceTools,
  SHUTDOWN_MS_MAX,
} from "./run-service.ts";
export { settings } from "./settings.ts";
export { TaskGroup } from "./task-group.ts";
