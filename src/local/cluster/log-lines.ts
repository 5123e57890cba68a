const MAX_LINES = 500;
const MAX_LENGTH = 2_000;

/** The last lines that a process wrote; older ones are forgotten. */
export interface LogLines {
  add(line: string): void;
  /** Oldest first. */
  list(): string[];
}

export const createLogLines = (): LogLines => {
  let lines: string[] = [];
  return {
    add(line) {
      lines.push(line.slice(0, MAX_LENGTH));
      if (lines.length > 2 * MAX_LINES) lines = lines.slice(-MAX_LINES);
    },
    list: () => lines.slice(-MAX_LINES),
  };
};
