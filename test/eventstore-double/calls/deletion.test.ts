import { StreamDeletedError, StreamNotFoundError, WrongExpectedVersionError } from '@eventstore/db-client';
import { expect } from 'chai';
import { failureOf } from '../../failure-of.ts';
import { anEvent, listed, withDouble } from '../opened.ts';

describe('The EventStoreDB double deletes streams', () => {
  it('so that they are not found, but can be begun anew behind the last revision', () =>
    withDouble({}, async ({ append, client }) => {
      await append('s', [anEvent(), anEvent()]);
      const { position } = await client.deleteStream('s', { expectedRevision: 1n });
      expect(position?.commit).to.be.a('bigint');
      expect(await failureOf(listed(client.readStream('s')))).to.be.instanceOf(StreamNotFoundError);
      expect(await failureOf(append('s', anEvent(), 'stream_exists'))).to.be.instanceOf(StreamDeletedError);
      const again = await append('s', anEvent(), 'no_stream');
      expect(again.nextExpectedRevision).to.equal(2n);
      expect(await listed(client.readStream('s'))).to.deep.equal(['s@2']);
    }));

  it('and still has their events in $all', () =>
    withDouble({}, async ({ append, client }) => {
      await append('s', anEvent());
      await client.deleteStream('s');
      const all = await listed(client.readAll());
      expect(all.slice(-2)).to.deep.equal(['s@0', '$$s@0']);
    }));

  it('only at the expected revision', () =>
    withDouble({}, async ({ append, client }) => {
      await append('s', [anEvent(), anEvent()]);
      for (const erase of [client.deleteStream.bind(client), client.tombstoneStream.bind(client)]) {
        const error = await failureOf(erase('s', { expectedRevision: 0n }));
        expect(error)
          .to.be.instanceOf(WrongExpectedVersionError)
          .and.include({ expectedVersion: 0n, actualVersion: 1n });
      }
    }));

  it('for good with a tombstone: neither reads nor writes nor subscriptions work any more', () =>
    withDouble({}, async ({ append, client }) => {
      await append('s', anEvent());
      const subscription = client.subscribeToStream('s');
      const ended = new Promise((resolve) => subscription.on('error', resolve));
      subscription.on('caughtUp', () => client.tombstoneStream('s'));
      subscription.resume();
      expect(await ended).to.be.instanceOf(StreamDeletedError);
      expect(await failureOf(listed(client.readStream('s')))).to.be.instanceOf(StreamDeletedError);
      expect(await failureOf(append('s', anEvent()))).to.be.instanceOf(StreamDeletedError);
      expect(await failureOf(client.deleteStream('s'))).to.be.instanceOf(StreamDeletedError);
      expect((await listed(client.readAll())).at(-1)).to.equal('s@9223372036854775807');
    }));
});
