import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { expect } from 'chai';
import { pino } from 'pino';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { eventually } from '../../eventually.ts';
import { type RunningApi, startApi } from '../running-api.ts';

const logger = pino({ level: 'silent' });

/** What somebody else does to a stream, with the official client. */
const DAMAGES: Readonly<Record<string, (client: EventStoreDBClient, stream: string) => Promise<unknown>>> = {
  'has deleted': (client, stream) => client.deleteStream(stream),
  'has deleted for good': (client, stream) => client.tombstoneStream(stream),
  'has cut to its last event': (client, stream) => client.setStreamMetadata(stream, { maxCount: 1 }),
  'has written into': (client, stream) =>
    client.appendToStream(stream, jsonEvent({ type: 'OrderPlaced', data: { order: 1 } })),
};

/** As docs/operations.md says: by metadata that hide nothing. */
const UNDONE = ['has deleted', 'has cut to its last event'];

describe('a stream in EventStoreDB that somebody else', () => {
  let double: EventStoreDouble;
  let client: EventStoreDBClient;
  let api: RunningApi;
  before(async () => {
    double = await createEventStoreDouble();
    client = EventStoreDBClient.connectionString(double.url);
    api = await startApi({ logger }, { openLog: () => createEventStoreLog({ url: double.url, logger }) });
  });
  after(async () => {
    await api.close();
    await client.dispose();
    await double.close();
  });

  const rename = (id: string, name: string) => api.admin.call('PATCH', `/projects/${id}`, { name });

  /** A project with two events. */
  const project = async (name: string): Promise<string> => {
    const made = await api.admin.post('/projects', { name });
    const { id } = made.body;
    const renamed = await rename(id, `${name}, renamed`);
    expect((await api.admin.getAfter(renamed, `/projects/${id}`)).status).to.equal(200);
    return id;
  };

  for (const [what, damage] of Object.entries(DAMAGES)) {
    it(`${what} is told as damaged, for that resource only`, async () => {
      const id = await project(`Vision ${what}`);
      const well = await project(`Sound ${what}`);
      await damage(client, `project-${id}`);
      const told = await rename(id, `${what}, and named again`);
      // This process has folded it before, and goes on from there where its last event still is.
      const isKnown = what === 'has cut to its last event';
      if (isKnown) expect(told.body).to.include({ id, name: `${what}, and named again` });
      else expect(told.body).to.include({ status: 409, code: 'history-damaged' });
      // A process that starts later has no fold of it.
      const state = await api.admin.get(`/audit/project/${id}/state`);
      if (what === 'has written into') expect(state.status).to.equal(200);
      else expect(state.body).to.include({ status: 409, code: 'history-damaged' });
      // What has been read of it stays.
      expect((await api.admin.get(`/projects/${id}`)).status).to.equal(200);
      expect((await api.admin.get(`/audit/project/${id}`)).body.items).to.have.length.of.at.least(2);
      const after = await rename(well, `${what}, the other one`);
      expect(after.status).to.equal(200);
      await eventually('the read model shows what came after', async () => {
        const { body } = await api.admin.getAfter(after, `/projects/${well}`);
        return body.name === `${what}, the other one`;
      });
      if (!UNDONE.includes(what)) return;
      await client.setStreamMetadata(`project-${id}`, {});
      expect((await rename(id, `${what}, and whole again`)).status).to.equal(200);
      expect((await api.admin.get(`/audit/project/${id}/state`)).body.name).to.equal(`${what}, and whole again`);
    });
  }
});
