import { expect } from 'chai';
import { pino } from 'pino';
import { createLocalStatusBus } from '../../../src/adapters/local-status-bus.ts';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import type { RecordedEvent } from '../../../src/events/event.ts';
import { EndpointId, ProjectId, UserId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { StatusBus, StatusMessage } from '../../../src/ports/status-bus.ts';
import { createStatusFeed, createStatusMapper } from '../../../src/projections/engine/status-feed.ts';
import { fresh, reported, startEndpoint, startProject, startUser } from '../facts.ts';

const logger = pino({ level: 'silent' });

const eventsOf = async (log: Log, stream: string): Promise<RecordedEvent[]> => {
  const events: RecordedEvent[] = [];
  for await (const event of log.readStream(stream)) events.push(event);
  return events;
};

describe('the status feed', () => {
  let log: Log;
  let bus: StatusBus;

  beforeEach(() => {
    log = createMemoryLog();
    bus = createLocalStatusBus({ log: logger });
  });

  afterEach(async () => {
    await bus.close();
    await log.close();
  });

  it('tells what happened as a CloudEvents message with position, cause and actor', async () => {
    const project_id = fresh(ProjectId);
    const endpoint = await startEndpoint(log, { project_id });
    const [event] = await eventsOf(log, endpoint.stream);
    if (!event) throw new Error('there is an event');
    const message = await createStatusMapper({ log }).toStatus(event);
    expect(message?.subject).to.equal(`bud.status.${project_id}.endpoint.${endpoint.id}`);
    expect(JSON.parse(message?.payload ?? '')).to.deep.include({
      specversion: '1.0',
      id: event.id,
      source: `/budapp/endpoint/${endpoint.id}`,
      type: 'bud.endpoint.endpoint-requested',
      time: event.at,
      position: event.position,
      revision: 0,
      projectid: project_id,
      actortype: 'user',
    });
  });

  it('knows the project of an event that does not name it, also when it sees the stream for the first time', async () => {
    const project_id = fresh(ProjectId);
    const endpoint = await startEndpoint(log, { project_id });
    await endpoint.append(reported(EndpointId.parse(endpoint.id), 1));
    const event = (await eventsOf(log, endpoint.stream)).at(-1);
    if (!event) throw new Error('there is an event');
    const message = await createStatusMapper({ log }).toStatus(event);
    expect(message?.subject).to.contain(project_id);
  });

  it('contains nothing sealed', async () => {
    const user = await startUser(log, fresh(UserId));
    const [event] = await eventsOf(log, user.stream);
    if (!event) throw new Error('there is an event');
    const message = await createStatusMapper({ log }).toStatus(event);
    expect(message?.payload).to.not.contain('sealed:');
    expect(JSON.parse(message?.payload ?? '').data).to.have.keys('user_id', 'subject', 'role', 'default_project_id');
  });

  it('publishes what happens from now on, each message naming the one before it', async () => {
    await startProject(log);
    const head = await log.head();
    const messages: StatusMessage[] = [];
    const { promise: all, resolve } = Promise.withResolvers<void>();
    await bus.subscribe('bud.status.>', (message) => {
      messages.push(message);
      if (messages.length === 3) resolve();
    });
    const feed = createStatusFeed({ log, bus, logger });
    // The feed asks for the head before anything else; what follows comes after it.
    await log.head();
    const endpoint = await startEndpoint(log);
    await endpoint.append(reported(EndpointId.parse(endpoint.id), 1), reported(EndpointId.parse(endpoint.id), 2));
    await all;
    await feed.close();
    const payloads = messages.map(({ payload }) => JSON.parse(payload));
    const positions = payloads.map(({ position }) => position);
    expect(positions).to.deep.equal((await eventsOf(log, endpoint.stream)).map(({ position }) => position));
    expect(payloads.map(({ previousposition }) => previousposition)).to.deep.equal([head, positions[0], positions[1]]);
  });
});
