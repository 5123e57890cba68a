import { expect } from 'chai';
import { createLogger, createMetrics } from '../src/telemetry.ts';

describe('telemetry', () => {
  let lines: string[];
  const logger = (level: Parameters<typeof createLogger>[0]['level'] = 'info') =>
    createLogger({ level, destination: { write: (line) => lines.push(line) } });

  beforeEach(() => {
    lines = [];
  });

  it('writes one JSON line an entry, with the level as a word and the time in UTC', () => {
    logger().info({ endpoint_id: 'e1' }, 'deployed');
    const entry = JSON.parse(lines[0] ?? '');
    expect(entry).to.include({ level: 'info', message: 'deployed', endpoint_id: 'e1', service: 'budapp' });
    expect(entry.time).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('leaves out what is below its level', () => {
    logger('warn').info('nothing to see');
    expect(lines).to.deep.equal([]);
  });

  it('never writes a secret, however deep it stands', () => {
    const secret = 'very-secret-value';
    logger().info(
      {
        password: secret,
        user: { access_token: secret },
        req: { headers: { authorization: secret, 'set-cookie': secret } },
        a: { b: { c: { client_secret: secret } } },
      },
      'x',
    );
    logger()
      .child({ refresh_token: secret })
      .warn({ body: { api_key: secret } }, 'y');
    expect(lines.join('')).not.to.contain(secret);
    expect(lines.join('')).to.contain('[redacted]');
  });

  it('counts what Prometheus can read, apart for each registry', async () => {
    const metrics = createMetrics();
    expect(await metrics.metrics()).to.contain('budapp_process_cpu_seconds_total');
    expect(await createMetrics().metrics()).to.contain('budapp_nodejs_eventloop_lag_seconds');
    metrics.clear();
  });
});
