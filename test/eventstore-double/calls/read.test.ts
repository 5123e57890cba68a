import {
  BACKWARDS,
  END,
  type EventStoreDBClient,
  FORWARDS,
  START,
  StreamNotFoundError,
  UnknownError,
} from '@eventstore/db-client';
import featuresService from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import { credentials, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { failureOf } from '../../failure-of.ts';
import { SERVER_VERSION } from '../discovery.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../double.ts';
import { anEvent, type Connected, connect, listed, withDouble } from '../opened.ts';

describe('The EventStoreDB double answers reads', () => {
  let double: EventStoreDouble;
  let connected: Connected;
  let client: EventStoreDBClient;

  before(async () => {
    double = await createEventStoreDouble();
    connected = connect(double.url);
    client = connected.client;
    for (let n = 0; n < 5; n += 1) await connected.append(n % 2 === 0 ? 'even' : 'odd', anEvent(n));
  });
  after(async () => {
    await connected.dispose();
    await double.close();
  });

  const user = (names: string[]) => names.filter((name) => !name.startsWith('$'));

  it('of a stream, forwards and backwards, from any revision, as many as asked for', async () => {
    const stream = (options: Parameters<EventStoreDBClient['readStream']>[1]) =>
      listed(client.readStream('even', options));
    expect(await stream({})).to.deep.equal(['even@0', 'even@1', 'even@2']);
    expect(await stream({ fromRevision: 1n })).to.deep.equal(['even@1', 'even@2']);
    expect(await stream({ fromRevision: 1n, maxCount: 1 })).to.deep.equal(['even@1']);
    expect(await stream({ fromRevision: 9n })).to.deep.equal([]);
    expect(await stream({ fromRevision: END, direction: FORWARDS })).to.deep.equal([]);
    expect(await stream({ fromRevision: END, direction: BACKWARDS })).to.deep.equal(['even@2', 'even@1', 'even@0']);
    expect(await stream({ fromRevision: 1n, direction: BACKWARDS })).to.deep.equal(['even@1', 'even@0']);
    expect(await stream({ fromRevision: 9n, direction: BACKWARDS, maxCount: 1 })).to.deep.equal(['even@2']);
  });

  it('of a stream that is not there with an error of its own', async () => {
    const error = await failureOf(listed(client.readStream('nothing')));
    expect(error).to.be.instanceOf(StreamNotFoundError).and.include({ streamName: 'nothing' });
  });

  it('of everything: forwards with the event at the position, backwards with those before it', async () => {
    const all = await listed(client.readAll({ fromPosition: START }));
    expect(user(all)).to.deep.equal(['even@0', 'odd@0', 'even@1', 'odd@1', 'even@2']);
    const positions: { commit: bigint; prepare: bigint }[] = [];
    for await (const { event } of client.readStream('odd')) if (event?.position) positions.push(event.position);
    const fromPosition = positions[0] ?? START;
    expect(await listed(client.readAll({ fromPosition }))).to.deep.equal(['odd@0', 'even@1', 'odd@1', 'even@2']);
    const before = await listed(client.readAll({ fromPosition, direction: BACKWARDS }));
    expect(user(before)).to.deep.equal(['even@0']);
    const last = await listed(client.readAll({ fromPosition: END, direction: BACKWARDS, maxCount: 2 }));
    expect(last).to.deep.equal(['even@2', 'odd@1']);
  });

  it('of everything beginning with events of the system, as on a real server', async () => {
    const [first] = await listed(client.readAll({ maxCount: 1 }));
    expect(first).to.match(/^\$/);
    await withDouble({ systemEvents: false }, async (empty) => {
      expect(await listed(empty.client.readAll())).to.deep.equal([]);
    });
  });

  it('from a position inside an event with a refusal, unless it is the last one, and from behind it with nothing', async () => {
    let last = 0n;
    for await (const { event } of client.readAll()) last = event?.position?.commit ?? 0n;
    const from = (commit: bigint) => listed(client.readAll({ fromPosition: { commit, prepare: commit } }));
    expect(await failureOf(from(last - 2n)))
      .to.be.instanceOf(UnknownError)
      .and.include({ code: status.UNKNOWN })
      .with.property('message')
      .that.includes('Unexpected ReadAllResult: InvalidPosition');
    for (const behind of [last + 2n, last + 1000n]) expect(await from(behind)).to.deep.equal([]);
  });

  it('and says of itself that it is a test double', async () => {
    const stub = new featuresService.ServerFeaturesClient(
      `${double.host}:${double.port}`,
      credentials.createInsecure(),
    );
    const version = await new Promise((resolve, reject) => {
      stub.getSupportedMethods(new shared.Empty(), (error, methods) =>
        error === null ? resolve(methods.getEventStoreServerVersion()) : reject(error),
      );
    });
    stub.close();
    expect(version).to.equal(SERVER_VERSION).and.include('test-double');
  });

  it('of many thousands of events at the pace of the client', async () => {
    await withDouble({}, async ({ append, client: other }) => {
      for (let n = 0; n < 5; n += 1)
        await append(
          `bulk-${n}`,
          Array.from({ length: 1000 }, (_, m) => anEvent(m)),
        );
      let count = 0;
      for await (const { event } of other.readAll()) if (event?.streamId.startsWith('bulk-')) count += 1;
      expect(count).to.equal(5000);
    });
  });
});
