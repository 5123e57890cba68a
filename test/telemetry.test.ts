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

  it('writes of an error what it says, with its causes, and not the clients that libraries hang on it', () => {
    const client = { connection: { password: 'in the clear' } };
    const lost = Object.assign(new Error('lost', { cause: new Error('reset by peer') }), { code: '57P01', client });
    logger().warn({ err: lost }, 'x');
    logger().warn({ err: new AggregateError([new Error('first'), new Error('second')], 'both') }, 'y');
    const [one, several] = lines.map((line) => JSON.parse(line).err);
    expect(one).to.include({ type: 'Error', code: '57P01', message: 'lost: reset by peer' });
    expect(one).not.to.have.property('client');
    expect(several.errors).to.deep.equal(['Error: first', 'Error: second']);
  });

  it('counts what Prometheus can read, apart for each registry', async () => {
    const metrics = createMetrics();
    expect(await metrics.metrics()).to.contain('budapp_process_cpu_seconds_total');
    expect(await createMetrics().metrics()).to.contain('budapp_nodejs_eventloop_lag_seconds');
    metrics.clear();
  });
});
