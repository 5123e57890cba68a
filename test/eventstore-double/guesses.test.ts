import {
  BACKWARDS,
  binaryEvent,
  jsonEvent,
  StreamDeletedError,
  UnknownError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { failureOf } from '../failure-of.ts';
import { anEvent, listed, withDouble } from './opened.ts';

/** One test for each guess that the README lists and that no other test pins; a real server may teach better. */
describe('Guessed of the real server, the EventStoreDB double', () => {
  it('refuses what makes no sense as an invalid argument', () =>
    withDouble({ batchAppend: false }, async ({ append, client }) => {
      const nonsense = [
        () => append('', anEvent()),
        () => append('s', anEvent(0, '')),
        () => listed(client.readStream('s', { maxCount: 0 })),
      ];
      for (const ask of nonsense) expect(await failureOf(ask())).to.include({ code: status.INVALID_ARGUMENT });
    }));

  it('answers an append of nothing with the end of the log', () =>
    withDouble({}, async ({ append }) => {
      const { position: end } = await append('s', []);
      expect((await append('s', anEvent())).position).to.deep.equal(end);
    }));

  it('refuses to read backwards from inside an event, too', () =>
    withDouble({}, async ({ append, client }) => {
      const { position } = await append('s', anEvent());
      await append('s', anEvent());
      const inside = (position?.commit ?? 0n) + 2n;
      const options = { direction: BACKWARDS, fromPosition: { commit: inside, prepare: inside } } as const;
      expect(await failureOf(listed(client.readAll(options)))).to.be.instanceOf(UnknownError);
    }));

  it('reads backwards from its end where the position is beyond it', () =>
    withDouble({}, async ({ append, client }) => {
      const { position } = await append('s', anEvent());
      const beyond = (position?.commit ?? 0n) + 10_000n;
      const options = { direction: BACKWARDS, fromPosition: { commit: beyond, prepare: beyond }, maxCount: 1 } as const;
      expect(await listed(client.readAll(options))).to.deep.equal(['s@0']);
    }));

  it('has no records of its own between the events: a restart takes no place in the log', () =>
    withDouble({}, async ({ append, double }) => {
      const { position: end } = await append('s', []);
      await double.start();
      const again = await append('s', anEvent()).catch(() => append('s', anEvent()));
      expect(again.position).to.deep.equal(end);
    }));

  it('deletes no stream of which there is nothing but metadata', () =>
    withDouble({}, async ({ client }) => {
      await client.setStreamMetadata('s', { maxCount: 2 });
      expect(await failureOf(client.deleteStream('s'))).to.be.instanceOf(WrongExpectedVersionError);
    }));

  it('takes no metadata for a tombstoned stream', () =>
    withDouble({}, async ({ append, client }) => {
      await append('s', anEvent());
      await client.tombstoneStream('s');
      expect(await failureOf(client.setStreamMetadata('s', { maxCount: 2 }))).to.be.instanceOf(StreamDeletedError);
    }));

  it('resolves no link to an event that its stream hides', () =>
    withDouble({}, async ({ append, client }) => {
      await append('s', [anEvent(), anEvent()]);
      await client.appendToStream(
        'links',
        [0, 1].map((n) => binaryEvent({ type: '$>', data: Buffer.from(`${n}@s`) })),
      );
      await client.setStreamMetadata('s', { truncateBefore: 1 });
      expect(await listed(client.readStream('links', { resolveLinkTos: true }))).to.deep.equal([
        'undefined@undefined',
        's@1',
      ]);
    }));

  it('takes metadata that it cannot read for none', () =>
    withDouble({}, async ({ append, client }) => {
      await append('s', [anEvent(), anEvent()]);
      for (const data of [{ $maxCount: 'few' }, 'none']) await append('$$s', jsonEvent({ type: '$metadata', data }));
      await client.appendToStream('$$s', binaryEvent({ type: '$metadata', data: Buffer.from('{') }));
      expect(await listed(client.readStream('s'))).to.have.length(2);
    }));
});
