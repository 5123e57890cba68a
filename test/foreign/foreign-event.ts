import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { eventTypes } from '../../src/events/catalog.ts';

/** An event that somebody else writes into the log. `metadata` and `data` are texts: mostly JSON, of whatever shape. */
export interface ForeignEvent {
  id: string;
  stream: string;
  type: string;
  data: string;
  metadata: string;
  is_json: boolean;
  /** What Postgres keeps in columns of their own. */
  version: number;
  at: string;
}

const uuid = fc.uuid({ version: [4, 7] });
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/** What has no place where an id, a time or a text belongs. */
const wrong: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    -1,
    0.5,
    2 ** 53,
    1e308,
    '',
    'not-an-id',
    'sealed:1:nobody',
    'sealed:1:nobody:a:b:c',
    'nul \0 in it',
    'half \ud800 of it',
    '2026-02-30T00:00:00.000Z',
    '9999-99-99T99:99:99.999Z',
    '+275760-09-13T00:00:00.000Z',
    'infinity',
    'x'.repeat(3000),
  ),
  fc.constantFrom<unknown>(
    [],
    {},
    JSON.parse('{"__proto__":{"tenant_id":1},"constructor":null}'),
    JSON.parse(nested(70)),
  ),
  uuid,
);

const orWrong = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 5, arbitrary: right }, { weight: 1, arbitrary: wrong });

const right = fc.record({
  tenant_id: uuid,
  command_id: uuid,
  command: fc.constant('DeployModel'),
  correlation_id: uuid,
  causation_id: fc.constant(null),
  actor: fc.record({ type: fc.constant('user'), id: uuid, name: fc.constantFrom('somebody', 'sealed:1:nobody') }),
});

const halfRight = fc.record(
  {
    tenant_id: orWrong(uuid),
    command_id: orWrong(uuid),
    command: orWrong(fc.constant('DeployModel')),
    correlation_id: orWrong(uuid),
    causation_id: orWrong(fc.constant(null)),
    actor: orWrong(fc.record({ type: orWrong(fc.constant('user')), id: orWrong(uuid), name: wrong })),
  },
  { requiredKeys: [] },
);

const at = fc.constant('2026-01-31T12:00:00.000Z');

const metadata: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ version: fc.constantFrom(1, 2, 99), at, meta: right }) },
  { weight: 4, arbitrary: fc.record({ version: orWrong(fc.constant(1)), at: orWrong(at), meta: halfRight }) },
  { weight: 1, arbitrary: fc.record({ version: fc.constant(1), at, meta: wrong }) },
  { weight: 1, arbitrary: wrong },
);

const FIELDS = [
  'workflow_id',
  'endpoint_id',
  'project_id',
  'cluster_id',
  'model_id',
  'user_id',
  'owner_id',
  'holder_id',
];
const OTHERS = [
  'name',
  'spec',
  'steps',
  'members',
  'reason',
  'ends',
  'kind',
  'status',
  'nodes',
  'scopes',
  'until',
  'at',
];

const data: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.dictionary(fc.constantFrom(...FIELDS, ...OTHERS, '__proto__'), orWrong(uuid), { maxKeys: 12 }),
  },
  { weight: 1, arbitrary: wrong },
);

const asText = (value: unknown): string => JSON.stringify(value) ?? '';

/** Mostly JSON; also what is none, though it says so. */
const text = (value: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: value.map(asText) },
    { weight: 1, arbitrary: fc.constantFrom('', '{"half":', '\ufffd\u0001', '[1e400]', '{"a":"\\u0000"}') },
    { weight: 1, arbitrary: fc.constantFrom(nested(500), `{"name":${nested(5000)}}`) },
  );

const areas = fc.constantFrom('project', 'model', 'cluster', 'endpoint', 'workflow', 'user');

/** `taken`: streams that have events of BudApp's, which it writes on. */
export const foreignEvent = (taken: readonly string[]): fc.Arbitrary<ForeignEvent> => {
  const stream = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(areas, uuid).map(([area, id]) => `${area}-${id}`) },
    { weight: 1, arbitrary: areas.map((area) => `${area}-of somebody.else>`) },
    { weight: 1, arbitrary: fc.constantFrom('orders', 'name-project-x', `endpoint-${'e'.repeat(600)}`, 'user-\u0001') },
    ...(taken.length > 0 ? [{ weight: 2, arbitrary: fc.constantFrom(...taken) }] : []),
  );
  const type = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...eventTypes()) },
    { weight: 1, arbitrary: fc.constantFrom('OrderPlaced', 'CreationAbandoned', 'T'.repeat(900), 'with \u0001') },
  );
  return fc.record({
    // Not by the generator, which repeats itself: an id that is there already is taken for a repeated append.
    id: fc.constant(null).map(() => randomUUID()),
    stream,
    type,
    data: text(data),
    metadata: text(metadata),
    is_json: fc.oneof({ weight: 8, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    version: fc.constantFrom(1, 1, 1, 2, 0, -1, 2 ** 31 - 1),
    at: fc.constantFrom(
      '2026-01-31T12:00:00.000Z',
      '2026-01-31T12:00:00.000Z',
      'infinity',
      '-infinity',
      '0044-03-15 BC',
    ),
  });
};
