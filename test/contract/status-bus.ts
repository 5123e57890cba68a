import { expect } from 'chai';
import type { StatusBus, StatusMessage } from '../../src/ports/status-bus.ts';
import { failureOf } from '../failure-of.ts';

const message = (subject: string, payload = '{}'): StatusMessage => ({ subject, payload });

/** What every status bus must do. `open` gives buses that carry to each other. */
export const statusBusContract = (open: () => Promise<StatusBus>): void => {
  let bus: StatusBus;

  beforeEach(async () => {
    bus = await open();
  });
  afterEach(() => bus.close());

  /** Publishes, and answers what the pattern let through once the last message has arrived. */
  const received = async (pattern: string, subjects: readonly string[]): Promise<string[]> => {
    const seen: string[] = [];
    await bus.subscribe(pattern, ({ subject }) => seen.push(subject));
    const last = new Promise<void>((resolve) => {
      void bus.subscribe('test.last', () => resolve());
    });
    for (const subject of subjects) await bus.publish(message(subject));
    await bus.publish(message('test.last'));
    await last;
    return seen;
  };

  const SUBJECTS = [
    'bud.status.p1.endpoint.e1',
    'bud.status.p1.model.m1',
    'bud.status.p2.endpoint.e2',
    'bud.status',
    'bud',
  ];

  const CASES: [string, number[]][] = [
    ['bud.status.p1.endpoint.e1', [0]],
    ['bud.status.p1.>', [0, 1]],
    ['bud.status.*.endpoint.*', [0, 2]],
    ['bud.status.>', [0, 1, 2]],
    ['bud.*', [3]],
    ['bud.status.p1.endpoint', []],
    ['*.status.*.*.m1', [1]],
  ];
  for (const [pattern, indexes] of CASES) {
    it(`lets through ${pattern} what NATS would`, async () => {
      expect(await received(pattern, SUBJECTS)).to.deep.equal(indexes.map((index) => SUBJECTS[index]));
    });
  }

  it('keeps the order of publishing', async () => {
    const subjects = Array.from({ length: 200 }, (_, index) => `order.${index}`);
    expect(await received('order.*', subjects)).to.deep.equal(subjects);
  });

  it('carries the payload unchanged to every subscriber', async () => {
    const payload = JSON.stringify({ text: 'Grüße – 你好' });
    const arrivals = [1, 2].map(
      () =>
        new Promise<string>((resolve) => {
          void bus.subscribe('a.b', (arrived) => resolve(arrived.payload));
        }),
    );
    await bus.publish(message('a.b', payload));
    expect(await Promise.all(arrivals)).to.deep.equal([payload, payload]);
  });

  it('goes on for the others when one handler throws', async () => {
    await bus.subscribe('a.b', () => {
      throw new Error('a handler of the test fails');
    });
    expect(await received('a.*', ['a.b', 'a.c'])).to.deep.equal(['a.b', 'a.c']);
  });

  it('hands nothing over after the subscription has ended', async () => {
    const seen: string[] = [];
    const end = await bus.subscribe('a.>', ({ subject }) => seen.push(subject));
    await received('a.>', ['a.1']);
    end();
    await received('a.>', ['a.2']);
    expect(seen).to.deep.equal(['a.1']);
  });

  it('takes nothing any more after it was closed, and may be closed twice', async () => {
    await bus.close();
    await bus.close();
    expect(await failureOf(bus.publish(message('a.b')))).to.match(/closed/);
    expect(await failureOf(bus.subscribe('a.b', () => undefined))).to.match(/closed/);
  });

  for (const pattern of ['', 'a..b', 'a.>.b', 'a b']) {
    it(`refuses the pattern ${JSON.stringify(pattern)}`, async () => {
      let failure: unknown;
      await bus
        .subscribe(pattern, () => {})
        .catch((error) => {
          failure = error;
        });
      expect(failure).to.be.instanceOf(Error);
    });
  }
};
