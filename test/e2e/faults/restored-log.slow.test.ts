import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { eventually } from '../../eventually.ts';
import { type Ask, admin } from '../asking.ts';
import { type BudApp, startBudApp } from '../budapp.ts';

/** docs/operations.md, "A log restored from an older backup". */
describe('BudApp whose log in EventStoreDB is restored from an older backup', function () {
  this.timeout(120_000);
  let dataDir = '';
  let double: EventStoreDouble;
  let budapp: BudApp;
  let ask: Ask;

  const start = async () => {
    budapp = await startBudApp(dataDir, { EVENTSTORE_URL: double.url });
    ({ ask } = await admin(budapp.url));
  };

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-restored-log-'));
    double = await createEventStoreDouble();
    await start();
  });
  after(async () => {
    await budapp.stop();
    await double.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const write = (prefix: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, n) => ask('POST', '/projects', { json: { name: `${prefix} ${n}` } })),
    );
  const written = async (prefix: string, count: number) => {
    for (const { status } of await write(prefix, count)) expect(status).to.equal(201);
  };
  const names = async () => {
    const { status, body } = await ask('GET', '/projects?limit=200');
    expect(status).to.equal(200);
    return (body.items as { name: string }[]).map(({ name }) => name).filter((name) => / \d+$/.test(name));
  };

  const isFenced = async () => {
    for (const reply of await write('after', 20))
      expect({ status: reply.status, code: reply.body.code }).to.deep.equal({ status: 503, code: 'log-behind' });
    const ready = await ask('GET', '/health/ready');
    expect([ready.status, ready.body.status]).to.deep.equal([503, 'not-ready']);
    const log = ready.body.dependencies.find(({ name }: { name: string }) => name === 'log');
    expect(log).to.include({ ok: false });
    expect(log.error).to.include('budapp log heal').and.include('--accept-loss');
    const rebuild = await ask('POST', '/operations/projections/projects/rebuild');
    expect([rebuild.status, rebuild.body.code]).to.deep.equal([503, 'log-behind']);
    expect(await names()).to.have.length(70);
  };

  it('accepts nothing from then on, shows all that it had shown, and goes on with a backup that has everything', async () => {
    await written('before', 10);
    const older = await double.backup();
    await written('lost', 60);
    await eventually('all is shown', async () => (await names()).length === 70);
    await eventually('all is read', async () => {
      const { body } = await ask('GET', '/health/ready');
      const readers = [...(body.projections ?? []), body.processes];
      return readers.every((reader: { caught_up: boolean } | null) => reader?.caught_up);
    });
    const newer = await double.backup();

    await double.start(older);
    await isFenced();
    await budapp.stop();
    await start();
    await isFenced();
    expect(budapp.output()).to.include('restored from an older backup');

    await budapp.stop();
    await double.start(newer);
    await start();
    await written('healed', 1);
    await eventually('it is shown', async () => (await names()).length === 71);
    const { status } = await ask('GET', '/health/ready');
    expect(status).to.equal(200);
  });
});
