import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { SubscriptionQuery } from '../../../src/api/live/subscription.ts';
import { eventually } from '../../eventually.ts';
import { type Message, type Stream, startStream } from './stream-model.ts';

const OWN = 2000;

describe('a replay of the live stream', () => {
  let stream: Stream;
  beforeEach(async () => {
    stream = await startStream();
    await stream.create();
  });
  afterEach(() => stream.close());

  const follow = async (query: SubscriptionQuery) => {
    const messages: Message[] = [];
    const { stop } = await stream.open(0, query, (message) => messages.push(message));
    return { messages, stop };
  };

  it('looks access up once, however many frames concern the caller', async () => {
    for (let n = 0; n < OWN / 2; n += 1) {
      await stream.member(0, 0, true);
      await stream.member(0, 0, false);
    }
    const before = stream.lookUps();
    const { messages, stop } = await follow({ from: 'start' });
    const mark = await stream.mark();
    await eventually('the end', () => messages.at(-1)?.position === mark);
    for (let n = 0; n < 20; n += 1) await stream.member(0, 0, n % 2 === 0);
    const end = await stream.mark();
    await eventually('the end again', () => messages.at(-1)?.position === end);
    expect(stream.lookUps() - before).to.equal(1);
    stop();
  });

  it('asks the log for what the client wants only', async () => {
    for (let n = 0; n < OWN; n += 1) await stream.describe(0);
    await stream.role(0, 'admin');
    const { log } = stream;
    const subscribe = log.subscribe.bind(log);
    let read = 0;
    log.subscribe = async function* (options) {
      for await (const item of subscribe(options)) {
        // The hub reads for all clients, and names no streams.
        if (options.filter?.streams && !('caughtUp' in item)) read += 1;
        yield item;
      }
    };
    const { messages, stop } = await follow({ from: 'start', project: stream.projects[1] });
    await stream.describe(1);
    await eventually('its own', () => messages.length === 2);
    expect(read).to.be.lessThan(10);
    stop();
  });

  it('says that it goes on where nothing is found for long, and up to where', async () => {
    await stream.role(0, 'admin');
    const { log } = stream;
    const subscribe = log.subscribe.bind(log);
    log.subscribe = async function* (options) {
      // A long scan that brings nothing.
      if (options.filter?.streams) await sleep(2500);
      yield* subscribe(options);
    };
    const from = stream.history[0]?.position;
    const { messages, stop } = await follow({ from, project: stream.projects[1] });
    await eventually('what there is', () => messages.some(({ type }) => type === 'bud.project.project-created'));
    expect(messages[0]).to.deep.include({ type: 'bud.stream.progress', data: { position: from } });
    expect(messages.slice(1).every(({ type }) => type !== 'bud.stream.progress')).to.equal(true);
    stop();
  });

  it('tells a client of its removal, live and later, whatever area it asks for', async () => {
    await stream.member(0, 0, true);
    const { messages, stop } = await follow({ from: 'now', area: 'endpoint' });
    await stream.mark();
    await stream.member(0, 0, false);
    await eventually('it is told', () => messages.at(-1)?.type === 'bud.project.project-member-removed');
    stop();
    const later = await follow({ from: 'start', area: 'endpoint' });
    await eventually('it is told later', () => later.messages.length > 0);
    expect(later.messages.map(({ type }) => type)).to.deep.equal(['bud.project.project-member-removed']);
    later.stop();
  });

  it('tells those who were members that a project was deleted, also when they come back later', async () => {
    await stream.member(0, 0, true);
    const { messages, stop } = await follow({ from: 'now', area: 'endpoint' });
    const before = await stream.mark();
    await stream.deleteProject(0, [0]);
    await stream.deleteProject(1, [1]);
    await eventually('it is told', () => messages.at(-1)?.type === 'bud.project.project-deleted');
    stop();
    const later = await follow({ from: before, area: 'endpoint' });
    const mark = await stream.mark();
    await eventually('it is told later', () => later.messages.length > 0);
    expect(later.messages.map(({ type, position }) => [type, (position ?? '') < mark])).to.deep.equal([
      ['bud.project.project-deleted', true],
    ]);
    expect(messages.filter(({ type }) => type === 'bud.project.project-deleted')).to.have.length(1);
    later.stop();
  });
});
