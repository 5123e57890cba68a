import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { type ClientReadableStream, credentials, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { createEventStoreDouble, type EventStoreDouble } from './double.ts';
import { uuidText } from './store/stored-event.ts';

/** What the client's own methods never send. */
describe('The protocol of the EventStoreDB double', () => {
  let double: EventStoreDouble;
  let stub: InstanceType<typeof streamsService.StreamsClient>;

  before(async () => {
    double = await createEventStoreDouble();
    stub = new streamsService.StreamsClient(`${double.host}:${double.port}`, credentials.createInsecure());
  });
  after(async () => {
    stub.close();
    await double.close();
  });

  const identifier = () => new shared.StreamIdentifier().setStreamName(Buffer.from('s').toString('base64'));
  const structured = (id: string) => {
    const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
    return new shared.UUID().setStructured(
      new shared.UUID.Structured()
        .setMostSignificantBits(bytes.readBigInt64BE(0).toString())
        .setLeastSignificantBits(bytes.readBigInt64BE(8).toString()),
    );
  };

  const append = (id: shared.UUID, properties: Readonly<Record<string, string>>): Promise<number> =>
    new Promise((resolve) => {
      const call = stub.append((error) => resolve(error?.code ?? status.OK));
      const options = new streams.AppendReq.Options().setStreamIdentifier(identifier()).setAny(new shared.Empty());
      call.write(new streams.AppendReq().setOptions(options));
      const message = new streams.AppendReq.ProposedMessage().setId(id);
      for (const [key, value] of Object.entries(properties)) message.getMetadataMap().set(key, value);
      call.write(new streams.AppendReq().setProposedMessage(message));
      call.end();
    });

  const reading = (prepare: (options: streams.ReadReq.Options) => void): ClientReadableStream<streams.ReadResp> => {
    const all = new streams.ReadReq.Options.AllOptions().setStart(new shared.Empty());
    const options = new streams.ReadReq.Options().setAll(all).setCount('100').setNoFilter(new shared.Empty());
    prepare(options);
    return stub.read(new streams.ReadReq().setOptions(options));
  };

  it('has ids as text and as two halves, whichever is asked for', async () => {
    const id = randomUUID();
    const properties = { type: 'T', 'content-type': 'application/octet-stream' };
    expect(await append(structured(id), properties)).to.equal(status.OK);
    const uuids: (shared.UUID | undefined)[] = [];
    for (const option of [
      new streams.ReadReq.Options.UUIDOption().setString(new shared.Empty()),
      new streams.ReadReq.Options.UUIDOption().setStructured(new shared.Empty()),
    ]) {
      let last: streams.ReadResp | undefined;
      for await (const response of reading((options) => options.setUuidOption(option))) last = response;
      uuids.push(last?.getEvent()?.getEvent()?.getId());
    }
    expect(uuids.map((uuid) => uuid?.hasStructured())).to.deep.equal([false, true]);
    expect(uuids.map(uuidText)).to.deep.equal([id, id]);
    expect(uuids[1]?.toObject()).to.deep.equal(structured(id).toObject());
  });

  it('refuses events without a type or a content type', async () => {
    const id = new shared.UUID().setString(randomUUID());
    expect(await append(id, { type: 'T' })).to.equal(status.INVALID_ARGUMENT);
    expect(await append(id, { 'content-type': 'application/json' })).to.equal(status.INVALID_ARGUMENT);
  });

  it('can end a call of many appends plainly, without the answer to one that it wrote', async () => {
    double.faults.inject('append', 'end', { times: 1, written: true });
    const before = double.size();
    const call = stub.batchAppend();
    let answers = 0;
    call.on('data', () => {
      answers += 1;
    });
    const ended = once(call, 'end');
    const message = new streams.BatchAppendReq.ProposedMessage().setId(new shared.UUID().setString(randomUUID()));
    message.getMetadataMap().set('type', 'T').set('content-type', 'application/json');
    call.write(
      new streams.BatchAppendReq()
        .setCorrelationId(new shared.UUID().setString(randomUUID()))
        .setOptions(new streams.BatchAppendReq.Options().setStreamIdentifier(identifier()).setAny(new shared.Empty()))
        .setProposedMessagesList([message])
        .setIsFinal(true),
    );
    await ended;
    expect([answers, double.size() - before]).to.deep.equal([0, 1]);
    call.cancel();
  });

  it('filters reads that end, too', async () => {
    const expression = new streams.ReadReq.Options.FilterOptions.Expression().setPrefixList(['$User']);
    const filter = new streams.ReadReq.Options.FilterOptions().setEventType(expression).setMax(10);
    const types: unknown[] = [];
    for await (const response of reading((options) => options.setFilter(filter)))
      types.push(response.getEvent()?.getEvent()?.getMetadataMap().get('type'));
    expect(types).to.deep.equal(['$User', '$UserCreated']);
  });

  it('refuses patterns that are none, and filters and directions that make no sense', async () => {
    const codeOf = (prepare: (options: streams.ReadReq.Options) => void): Promise<unknown> =>
      new Promise((resolve) => {
        const call = reading(prepare);
        call.on('error', (error) => resolve('code' in error ? error.code : error));
        call.on('end', () => resolve('end'));
        call.resume();
      });
    const filter = new streams.ReadReq.Options.FilterOptions().setCheckpointintervalmultiplier(1);
    const broken = new streams.ReadReq.Options.FilterOptions.Expression().setRegex('(');
    const nonsense = [
      (options: streams.ReadReq.Options) => options.setFilter(filter.setEventType(broken)),
      (options: streams.ReadReq.Options) => options.setFilter(new streams.ReadReq.Options.FilterOptions()),
      (options: streams.ReadReq.Options) =>
        options.setSubscription(new streams.ReadReq.Options.SubscriptionOptions()).setReadDirection(1),
    ];
    for (const prepare of nonsense) expect(await codeOf(prepare)).to.equal(status.INVALID_ARGUMENT);
  });
});
