import { expect } from 'chai';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { fitsEnvelope } from '../../src/adapters/envelope.ts';
import { isPlainEnvelope, type Stored } from '../../src/adapters/plain-envelope.ts';
import { Position } from '../../src/events/event.ts';

const uuid = fc.uuid({ version: [1, 4, 7] });
const wrong = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, '', '$name', 'nul \0', 'ä', -1, 0.5, 2 ** 31, [], {}, true),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('ffffffff-ffff-ffff-ffff-ffffffffffff', v7().toUpperCase(), `${v7()} `, v7().replace(/-7/, '-9')),
);
const or = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 30, arbitrary: right }, { weight: 1, arbitrary: wrong });

/** Days that are none, too. */
const time = fc
  .record({
    year: fc.integer({ min: 0, max: 9999 }),
    rest: fc.tuple(...[13, 32, 24, 61, 60].map((max) => fc.integer({ min: 0, max }))),
  })
  .map(({ year, rest }) => {
    const [month, day, hour, minute, second] = rest.map((n) => String(n).padStart(2, '0'));
    return `${String(year).padStart(4, '0')}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  });
const goodTime = fc
  .date({ min: new Date('1970-01-01'), max: new Date('2999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString());

const meta = fc.record(
  {
    tenant_id: or(uuid),
    command_id: or(uuid),
    command: or(fc.string()),
    correlation_id: or(uuid),
    causation_id: or(fc.option(uuid)),
    actor: or(
      fc.record({ type: or(fc.constantFrom('user', 'service', 'process')), id: or(uuid), name: or(fc.string()) }),
    ),
    request_hash: or(fc.string()),
    traceparent: or(fc.string()),
    request_id: or(fc.string()),
  },
  { requiredKeys: ['tenant_id', 'command_id', 'command', 'correlation_id', 'causation_id', 'actor'] },
);
const stored: fc.Arbitrary<Stored> = fc.record({
  id: or(uuid),
  stream: or(fc.constantFrom('endpoint-1', 'x'.repeat(500), 'x'.repeat(501))),
  revision: fc.integer({ min: -1, max: 2 ** 32 }),
  position: fc.constant(Position.parse('0000000000000001')),
  type: or(fc.constant('ProjectCreated')),
  version: or(fc.integer({ min: 0, max: 3 })),
  at: fc.oneof({ weight: 4, arbitrary: goodTime }, { weight: 1, arbitrary: time }, { weight: 1, arbitrary: wrong }),
  data: fc.constant({}),
  meta: or(meta),
});

describe('the quick look at an envelope', () => {
  it('passes none that the schema refuses, and most that it takes', () => {
    let [plain, fitting] = [0, 0];
    fc.assert(
      fc.property(stored, (event) => {
        if (isPlainEnvelope(event)) {
          plain += 1;
          expect(fitsEnvelope(event)).to.equal(true);
        }
        if (fitsEnvelope(event)) fitting += 1;
      }),
      { numRuns: 20_000 },
    );
    expect(fitting).to.be.greaterThan(1000);
    expect(plain / fitting).to.be.greaterThan(0.7);
  });
});
