export {
  CountersignError,
  type ErrorDetails,
  type ErrorEntry,
  type ErrorKind,
  type ErrorTable,
  errorsOf,
} from "./errors.ts";
