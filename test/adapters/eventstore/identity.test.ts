import { expect } from 'chai';
import { pino } from 'pino';
import { eventStoreLogIdentity } from '../../../src/adapters/eventstore/identity.ts';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import { SystemUnusable } from '../../../src/errors.ts';
import { anEvent, collect } from '../../contract/log.ts';
import { createEventStoreCluster } from '../../eventstore-double/cluster.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { failureOf } from '../../failure-of.ts';

describe('the identity of the log in EventStoreDB', () => {
  let double: EventStoreDouble;
  beforeEach(async () => {
    double = await createEventStoreDouble();
  });
  afterEach(() => double.close());

  const identity = () => eventStoreLogIdentity({ url: double.url });

  it('is made once by concurrent callers, and never changes', async () => {
    const answers = await Promise.all([identity(), identity(), identity()]);
    expect(new Set(answers).size).to.equal(1);
    await double.start('keep');
    expect(await identity()).to.equal(answers[0]);
  });

  it('is another one where the log was lost', async () => {
    const before = await identity();
    await double.start('lose');
    expect(await identity()).to.not.equal(before);
  });

  it('is skipped by readers of the log, and leaves an empty log empty', async () => {
    await identity();
    const log = await createEventStoreLog({ url: double.url, logger: pino({ level: 'silent' }) });
    expect(await log.head()).to.equal(null);
    const { position } = await log.append('thing-1', [anEvent()], { expected: 'none' });
    const items = await collect(log.subscribe({ after: 'start', live: false }));
    expect(items).to.have.length(2);
    expect(await log.head()).to.equal(position);
    await log.close();
  });

  it('is the same whichever node of a cluster is asked', async () => {
    const cluster = await createEventStoreCluster({ nodes: 3 });
    const answers = [];
    for (const url of [...cluster.nodes.toReversed().map((node) => node.url), cluster.url])
      answers.push(await eventStoreLogIdentity({ url }));
    expect(new Set(answers).size).to.equal(1);
    await cluster.close();
  });

  it('fails after a time-out where the server does not answer', async () => {
    double.faults.inject('read', 'mute');
    const asking = eventStoreLogIdentity({ url: double.url, timeout: 200 });
    expect(await failureOf(asking))
      .to.be.instanceOf(SystemUnusable)
      .and.include({ transient: true });
  });
});
