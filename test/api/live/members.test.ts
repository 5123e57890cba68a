import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Position } from '../../../src/events/event.ts';
import { eventually } from '../../eventually.ts';
import { type Delivered, type Message, type Stream, startStream } from './stream-model.ts';

/** Somebody's program: it goes on from its last position whenever it connects again. */
const aDevice = (stream: Stream, user: number) => {
  const delivered: Delivered[] = [];
  let from: Position | 'start' = 'start';
  let connection: Awaited<ReturnType<Stream['open']>> | null = null;
  /** The log's head once the replay was over; null as long as it may be going on. */
  let caughtUpAt: Position | null = null;

  /** A replay goes by the access of its time; later frames by that of their own, but where access was looked up again. */
  const judgedTo = (position: Position): Position => {
    const isFollowed = caughtUpAt !== null && position > caughtUpAt && position > (stream.lookedUpTo(user) ?? '');
    return isFollowed ? position : (stream.head() ?? position);
  };

  const receive = ({ type, position, data }: Message): void => {
    if (type === 'bud.stream.progress') return;
    if (type === 'bud.stream.reset') {
      expect(data.reason?.code).to.equal('too-slow');
      expect(data.position ?? 'start', 'the position of the reset').to.equal(from);
      return;
    }
    if (!position) throw new Error(`${type} has no position`);
    delivered.push({ position, judged_to: judgedTo(position) });
    from = position;
  };
  const disconnect = (): void => {
    connection?.stop();
    connection = null;
  };
  return {
    user,
    delivered,
    disconnect,
    connect: async () => {
      disconnect();
      caughtUpAt = null;
      connection = await stream.open(user, { from }, receive);
    },
    hasCaughtUp: () => {
      caughtUpAt ??= stream.head() ?? null;
    },
    /** What is sent lies there from now on. */
    stall: () => {
      if (connection) connection.state.lying = 2 ** 21;
    },
    ending: () => connection?.state.ending ?? null,
  };
};
type Device = ReturnType<typeof aDevice>;

/** Enough for a replay of a handful of events in memory. */
const LONG_MS = 10;

const user = fc.nat(1);
const project = fc.nat(1);
const device = fc.nat(2);
const role = fc.constantFrom('admin' as const, 'developer' as const);
const often = <T>(arbitrary: fc.Arbitrary<T>) => ({ arbitrary, weight: 5 });
const seldom = <T>(arbitrary: fc.Arbitrary<T>) => ({ arbitrary, weight: 1 });
const happening = fc.oneof(
  often(fc.record({ kind: fc.constant('member' as const), user, project, is: fc.boolean() })),
  often(fc.record({ kind: fc.constant('described' as const), project })),
  often(fc.record({ kind: fc.constant('pause' as const), ms: fc.constantFrom(0, 0, 0, 1, LONG_MS) })),
  seldom(fc.record({ kind: fc.constant('role' as const), user, role })),
  seldom(fc.record({ kind: fc.constantFrom('connect' as const, 'disconnect' as const, 'stall' as const), device })),
  seldom(fc.record({ kind: fc.constant('messages-lost' as const), are: fc.boolean() })),
  seldom(fc.record({ kind: fc.constant('read-models-behind' as const), events: fc.nat(4) })),
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

const perform = async (stream: Stream, devices: readonly Device[], next: Happening): Promise<void> => {
  switch (next.kind) {
    case 'member':
      return stream.member(next.user, next.project, next.is);
    case 'described':
      return stream.describe(next.project);
    case 'role':
      return stream.role(next.user, next.role);
    case 'connect':
      return devices[next.device]?.connect();
    case 'disconnect':
      return devices[next.device]?.disconnect();
    case 'stall':
      return devices[next.device]?.stall();
    case 'messages-lost':
      return stream.loseMessages(next.are);
    case 'read-models-behind':
      return stream.fallBehind(next.events);
    case 'pause':
      if (next.ms === 0) return new Promise((resolve) => setImmediate(resolve));
      await sleep(next.ms);
      if (next.ms === LONG_MS) for (const each of devices) each.hasCaughtUp();
  }
};

const mayStillSee = (stream: Stream, { user }: Device, index: number): boolean[] => {
  const { fact } = stream.history[index]!;
  if (!('project_id' in fact.data) || fact.data.project_id === null) return [true];
  const { project_id } = fact.data;
  return stream.history.slice(index).map(({ position }) => {
    const { role, projects } = stream.access(user, position);
    return role === 'admin' || [...projects.keys()].some((id) => id === project_id);
  });
};

/** Each device has each frame once and in order: those it may see ever since, its own removals, and none besides. */
const check = (stream: Stream, device: Device): void => {
  const { delivered } = device;
  const positions = delivered.map(({ position }) => position);
  expect(positions, 'in order and once').to.deep.equal([...new Set(positions)].sort());
  const userId = stream.users[device.user];
  for (const [index, { position, fact }] of stream.history.entries()) {
    const got = delivered.find((each) => each.position === position);
    const isOwn = 'user_id' in fact.data && fact.data.user_id === userId;
    if (fact.type === 'UserPermissionsChanged') {
      if (isOwn) expect(got, `${fact.type} at ${position}`).to.not.equal(undefined);
      continue;
    }
    const since = mayStillSee(stream, device, index);
    const isRemoval = fact.type === 'ProjectMemberRemoved' && isOwn;
    const what = `${fact.type} at ${position} for user ${device.user}`;
    if (isRemoval || since.every(Boolean)) expect(got, what).to.not.equal(undefined);
    if (!got || isRemoval) continue;
    const passed = stream.history.slice(index).filter((each) => each.position <= got.judged_to).length;
    expect(since.slice(0, passed).some(Boolean), `${what} may be seen when it comes`).to.equal(true);
  }
};

const RUNS = Number(process.env.STREAM_RUNS ?? 40);

describe('the live stream while people come and go', () => {
  it('shows each client once what it may see, and nothing after the end of its access', async function () {
    this.timeout(60_000 + RUNS * 200);
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 60 }), async (happenings) => {
        const stream = await startStream();
        try {
          await stream.create();
          const devices = [aDevice(stream, 0), aDevice(stream, 0), aDevice(stream, 1)];
          for (const each of devices) await each.connect();
          for (const next of happenings) await perform(stream, devices, next);
          stream.loseMessages(false);
          for (const each of devices) await each.connect();
          const mark = await stream.mark();
          await eventually(
            'everybody has the last frame',
            async () => (devices.every(({ delivered }) => delivered.at(-1)?.position === mark) ? true : null),
            { timeoutMs: 10_000 },
          );
          for (const each of devices) {
            check(stream, each);
            each.disconnect();
          }
        } finally {
          await stream.close();
        }
      }),
      { numRuns: RUNS },
    );
  });
});
