import { NotLeaderError } from '@eventstore/db-client';
import { expect } from 'chai';
import { failureOf } from '../failure-of.ts';
import { createEventStoreCluster, type EventStoreCluster } from './cluster.ts';
import { anEvent, type Connected, connect, listed, reconnecting } from './opened.ts';

describe('A cluster of EventStoreDB doubles', () => {
  let cluster: EventStoreCluster;
  const connections: Connected[] = [];
  const connectTo = (url: string): Connected => {
    const connected = connect(url);
    connections.push(connected);
    return connected;
  };

  beforeEach(async () => {
    cluster = await createEventStoreCluster({ nodes: 3 });
  });
  afterEach(async () => {
    await Promise.all(connections.splice(0).map((connected) => connected.dispose()));
    await cluster.close();
  });

  it('tells clients by gossip who leads', async () => {
    cluster.elect(1);
    const leader = cluster.nodes[1];
    for (const url of [cluster.url, cluster.nodes[2]?.url.replace('esdb:', 'esdb+discover:') ?? '']) {
      const { append } = connectTo(url);
      leader?.faults.inject('append', 'not-ready', { times: 1 });
      // Only the leader knows of the fault, so it was the leader that was asked.
      expect(await failureOf(append('s', anEvent()))).to.be.instanceOf(Error);
      await append('s', anEvent());
    }
  });

  it('takes writes at the leader only, and the client follows to it', async () => {
    const { append } = connectTo(cluster.nodes[1]?.url ?? '');
    const error = await failureOf(append('s', anEvent()));
    expect(error).to.be.instanceOf(NotLeaderError);
    expect((error as NotLeaderError).leader.port).to.equal(cluster.nodes[0]?.port);
    expect((await append('s', anEvent())).nextExpectedRevision).to.equal(0n);
  });

  it('serves reads from every node, unless they ask for the leader', async () => {
    await connectTo(cluster.url).append('s', anEvent());
    const { client } = connectTo(cluster.nodes[2]?.url ?? '');
    expect(await listed(client.readStream('s'))).to.deep.equal(['s@0']);
    expect(await failureOf(listed(client.readStream('s', { requiresLeader: true })))).to.be.instanceOf(NotLeaderError);
  });

  it('hands writes on to the leader where it is told to, unless they ask for the leader', async () => {
    const forwarding = await createEventStoreCluster({ nodes: 2, forwardsWrites: true });
    const { client, dispose } = connect(forwarding.nodes[1]?.url ?? '');
    expect((await client.appendToStream('s', anEvent())).nextExpectedRevision).to.equal(0n);
    const { client: strict, dispose: disposeStrict } = connect(forwarding.nodes[1]?.url ?? '');
    const asked = strict.deleteStream('s', { requiresLeader: true });
    expect(await failureOf(asked)).to.be.instanceOf(NotLeaderError);
    await Promise.all([dispose(), disposeStrict()]);
    await forwarding.close();
  });

  for (const written of [true, false]) {
    it(`changes its leader in the middle of an append that is ${written ? '' : 'not '}written`, async () => {
      const { append } = connectTo(cluster.url);
      const event = anEvent();
      await append('s', anEvent(), 'no_stream');
      const before = cluster.size();
      cluster.electDuringAppend(2, { written });
      expect(await failureOf(append('s', event, 0n))).to.be.instanceOf(NotLeaderError);
      expect([cluster.leader(), cluster.size() - before]).to.deep.equal([2, written ? 1 : 0]);
      // The repeat, at the new leader, is the same append.
      expect((await append('s', event, 0n)).nextExpectedRevision).to.equal(1n);
      expect(cluster.size() - before).to.equal(1);
    });
  }

  it('serves on when its leader stops and another one is elected', async () => {
    const { append } = connectTo(cluster.url);
    await append('s', anEvent());
    await cluster.nodes[0]?.stop();
    cluster.elect(1);
    const { nextExpectedRevision } = await reconnecting(() => append('s', anEvent(), 0n));
    expect(nextExpectedRevision).to.equal(1n);
    await cluster.nodes[0]?.start();
    const read = () => listed(connectTo(cluster.nodes[0]?.url ?? '').client.readStream('s'));
    expect(await reconnecting(read)).to.have.length(2);
  });

  it('is without a leader for a while when that dies, and then has another one', async () => {
    const { append } = connectTo(cluster.url);
    await append('s', anEvent());
    const over = cluster.failOver(1, { withoutLeaderMs: 300 });
    expect(cluster.leader()).to.equal(undefined);
    expect(await failureOf(append('s', anEvent(), 0n))).to.be.instanceOf(Error);
    await over;
    expect(cluster.leader()).to.equal(1);
    const appended = await reconnecting(() => connectTo(cluster.url).append('s', anEvent(), 0n));
    expect(appended.nextExpectedRevision).to.equal(1n);
  });

  it('has to start a node twice that comes back with events that nobody else got', async () => {
    await cluster.failOver(1, { withoutLeaderMs: 0, ahead: true });
    expect(await cluster.rejoin(0)).to.deep.equal({ exit_code: 0 });
    expect(cluster.nodes[0]?.isRunning()).to.equal(false);
    expect(await cluster.rejoin(0)).to.equal('serves');
    expect(cluster.nodes[0]?.isRunning()).to.equal(true);
  });

  it('has no leader while none is elected', async () => {
    const { append } = connectTo(cluster.url);
    await append('s', anEvent());
    cluster.elect(undefined);
    // A batched append is told so in an answer, which the client does not know what to make of.
    expect(await failureOf(append('s', anEvent()))).to.include({ type: 'unknown' });
  });
});
