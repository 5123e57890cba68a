import { expect } from 'chai';
import { SystemUnusable } from '../../src/errors.ts';
import { createLogger } from '../../src/telemetry.ts';
import { createRetryUntilAvailable } from '../../src/wiring/retry-until-available.ts';
import { failureOf } from '../failure-of.ts';

const unusable = (transient: boolean) =>
  new SystemUnusable('NATS', 'does not answer', { settings: ['NATS_URL'], transient });

/** A system that fails these times before it opens, and what was told of it. */
const aStart = ({
  failures,
  transient = true,
  timeout_ms = 60_000,
}: {
  failures: number;
  transient?: boolean;
  timeout_ms?: number;
}) => {
  const lines: { level: string; message: string }[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => lines.push(JSON.parse(line)) } });
  let calls = 0;
  const opened = createRetryUntilAvailable({ timeout_ms, logger })(async () => {
    calls += 1;
    if (calls <= failures) throw unusable(transient);
    return calls;
  });
  return { lines, opened };
};

describe('a start whose system is not available', () => {
  it('waits for it, and tells once that it waits and once that it goes on', async () => {
    const { lines, opened } = aStart({ failures: 2 });
    expect(await opened).to.equal(3);
    expect(lines.map(({ level }) => level)).to.deep.equal(['warn', 'info']);
    expect(lines[0]?.message).to.equal('waiting: NATS does not answer. Look at NATS_URL.');
  });

  it('ends at once where waiting cannot help, and leaves the reason to whoever ends it', async () => {
    const { lines, opened } = aStart({ failures: 1, transient: false });
    expect(await failureOf(opened)).to.include({ system: 'NATS', transient: false });
    expect(lines).to.deep.equal([]);
  });

  it('gives up after the time-out', async () => {
    const { opened } = aStart({ failures: Number.POSITIVE_INFINITY, timeout_ms: 600 });
    expect(await failureOf(opened)).to.include({ system: 'NATS', transient: true });
  });
});
