import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { z } from 'zod';
import { jsonSchemaOf } from '../../src/api/http/json-schema.ts';
import { type RunningApi, startApi } from './running-api.ts';

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What the generators of Python clients stop at, or leave out. */
const stopsGenerators = (keyword: string, value: unknown): boolean => {
  if (['prefixItems', 'additionalItems', 'unevaluatedItems', 'contains'].includes(keyword)) return true;
  return keyword === 'items' && !isObject(value);
};

/** Pointers to each such keyword. A property may have any name: `items` of a list is one. */
const shapesIn = (value: unknown, at = '', isNames = false): string[] => {
  if (Array.isArray(value)) return value.flatMap((item, index) => shapesIn(item, `${at}/${index}`));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const here = `${at}/${key}`;
    if (key === 'example' && !isNames) return [];
    const found = !isNames && stopsGenerators(key, item) ? [here] : [];
    return [...found, ...shapesIn(item, here, key === 'properties' && !isNames)];
  });
};

/** The schemas of each property of this name. */
const schemasOf = (name: string, value: unknown): unknown[] => {
  if (Array.isArray(value)) return value.flatMap((item) => schemasOf(name, item));
  if (!isObject(value)) return [];
  const own = isObject(value.properties) && name in value.properties ? [value.properties[name]] : [];
  return [...own, ...Object.values(value).flatMap((item) => schemasOf(name, item))];
};

describe('the shapes that clients are generated from', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  it('have no tuple in the whole document', async () => {
    const { body } = await api.request('GET', '/openapi.json');
    expect(shapesIn(body)).to.deep.equal([]);
    const pairs = schemasOf('ttft_ms', body);
    expect(pairs).to.not.be.empty;
    for (const pair of pairs) {
      expect(pair).to.deep.equal({
        type: 'array',
        items: { type: 'number', minimum: 1, maximum: 60_000 },
        minItems: 2,
        maxItems: 2,
      });
    }
  });

  const Pair = z.tuple([z.number(), z.number()]);
  for (const { of, schema, taken, refused } of [
    { of: 'one kind', schema: Pair, taken: [[1, 2]], refused: [[], [1], [1, 2, 3], ['1', '2']] },
    { of: 'two kinds', schema: z.tuple([z.string(), z.number()]), taken: [['a', 1]], refused: [['a'], ['a', null]] },
    {
      of: 'kinds that may be absent',
      schema: z.tuple([z.string(), z.string().optional()]),
      taken: [['a'], ['a', 'b']],
      refused: [[], ['a', 'b', 'c']],
    },
    { of: 'a rest', schema: z.tuple([z.string()], z.number()), taken: [['a'], ['a', 1, 2]], refused: [[], [null]] },
    {
      of: 'tuples',
      schema: z.tuple([Pair, Pair]),
      taken: [
        [
          [1, 2],
          [3, 4],
        ],
      ],
      refused: [[[1, 2]], [[1, 2], [3]]],
    },
  ]) {
    it(`describe a tuple of ${of} without positions`, () => {
      const described = jsonSchemaOf(z.object({ value: schema }), 'input');
      expect(shapesIn(described)).to.deep.equal([]);
      const validate = new Ajv2020({ strict: true }).compile(described);
      for (const value of taken) expect(validate({ value }), JSON.stringify(value)).to.equal(true);
      for (const value of refused) expect(validate({ value }), JSON.stringify(value)).to.equal(false);
    });
  }
});
