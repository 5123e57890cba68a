import { UnknownError } from '@eventstore/db-client';
import { expect } from 'chai';
import { failureOf } from '../failure-of.ts';
import { anEvent, connect, listed, reconnecting, withDouble } from './opened.ts';

/** An event whose data has this length. */
const sized = (bytes: number) => ({ ...anEvent(), data: { text: 'x'.repeat(bytes) } });

describe('Positions in the EventStoreDB double', () => {
  const positionsOf = async (appends: readonly [stream: string, ...bytes: number[]][]): Promise<unknown[]> => {
    const positions: unknown[] = [];
    await withDouble({}, async ({ append }) => {
      for (const [stream, ...sizes] of appends) positions.push((await append(stream, sizes.map(sized))).position);
    });
    return positions;
  };

  it('are equal in two logs with events of equal sizes, and only then', async () => {
    const one = await positionsOf([
      ['a', 10, 20],
      ['b', 30],
      ['c', 1],
    ]);
    expect(
      await positionsOf([
        ['x', 20, 10],
        ['y', 30],
        ['z', 1],
      ]),
    )
      .to.have.lengthOf(3)
      .and.not.deep.equal(one);
    expect(
      await positionsOf([
        ['x', 10, 20],
        ['y', 30],
        ['z', 1],
      ]),
    ).to.deep.equal(one);
    expect(
      await positionsOf([
        ['longer', 10, 20],
        ['b', 30],
        ['c', 1],
      ]),
    ).to.not.deep.equal(one);
  });

  it('are given again after the log has been restored from an older backup, to other events', () =>
    withDouble({}, async ({ append, double }) => {
      await append('s', anEvent());
      const backup = await double.backup();
      const lost = [await append('lost', anEvent()), await append('gone', [anEvent(), sized(50)])];
      await double.start(backup);
      const { client, append: appendAgain, dispose } = connect(double.url);
      const first = await reconnecting(() => appendAgain('kept', anEvent()));
      expect(first.position).to.deep.equal(lost[0]?.position);
      expect(await listed(client.readAll({ fromPosition: first.position ?? 'start' }))).to.deep.equal(['kept@0']);
      await appendAgain('more', sized(200));
      await appendAgain('end', anEvent());
      const { position } = lost[1] ?? {};
      expect(await failureOf(listed(client.readAll({ fromPosition: position ?? 'start' })))).to.be.instanceOf(
        UnknownError,
      );
      await dispose();
    }));
});
