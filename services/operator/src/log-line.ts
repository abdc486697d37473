/** A line of a service's log. */
export interface LogLine {
  readonly service: string;
  /** The line as it stands in the file. */
  readonly text: string;
  /** Milliseconds since 1970; 0 for a line that tells no time. */
  readonly timeMs: number;
  /** Members of a line of our services; absent for NATS and Redis, whose lines are text. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Reads a line of any service. */
export function parseLogLine(service: string, text: string): LogLine {
  if (text.startsWith("{")) {
    try {
      const members: unknown = JSON.parse(text);
      if (isRecord(members)) return { service, text, timeMs: timeOf(members["time"]), members };
    } catch {
      // A line cut short by a crash is shown as the text it is.
    }
  }
  return { service, text, timeMs: textTime(text) };
}

/** One line for people: time, service, level, message, then the other members. `width` 0 leaves the service out. */
export function printLogLine(line: LogLine, { width, coloured }: { width: number; coloured: boolean }): string {
  const service = width === 0 ? "" : `${line.service.padEnd(width)}  `;
  if (line.members === undefined) return `${service}${line.text}`;
  const { time: _time, level, msg, pid: _pid, service: _service, ...rest } = line.members;
  const clock = line.timeMs === 0 ? "" : `${new Date(line.timeMs).toISOString().slice(11, 23)}  `;
  const extra = Object.entries(rest).map(
    ([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${service}${clock}${levelName(level, coloured)}  ${typeof msg === "string" ? msg : ""}${extra.join("")}`;
}

function levelName(level: unknown, coloured: boolean): string {
  const name = String(level ?? "").padEnd(5);
  const alarming = name.startsWith("error") || name.startsWith("fatal");
  if (!coloured || !(alarming || name.startsWith("warn"))) return name;
  return `\u001b[${alarming ? 31 : 33}m${name}\u001b[0m`;
}

function timeOf(time: unknown): number {
  if (typeof time === "number") return time;
  return typeof time === "string" ? Date.parse(time) || 0 : 0;
}

/** NATS: `[pid] 2026/01/31 12:00:00.123456 [INF] …`. Redis: `pid:M 31 Jan 2026 12:00:00.123 * …`. Both in local time. */
function textTime(text: string): number {
  const nats = /^\[\d+\] (\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d\.\d{3})/.exec(text);
  if (nats !== null) return Date.parse(`${nats[1]}-${nats[2]}-${nats[3]}T${nats[4]}`) || 0;
  const redis = /^\d+:[A-Z] (\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3})/.exec(text);
  return redis === null ? 0 : Date.parse(redis[1] ?? "") || 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
