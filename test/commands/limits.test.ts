import { expect } from 'chai';
import { z } from 'zod';
import { jsonSchemaOf } from '../../src/api/http/json-schema.ts';
import { commandCatalog } from '../../src/commands/catalog.ts';

const Limited = z.object({
  type: z.literal('string'),
  maxLength: z.int(),
  format: z.undefined().optional(),
  pattern: z.undefined().optional(),
});
const ListOfLimited = z.object({ type: z.literal('array'), items: Limited });

/** Two UTF-16 units and four bytes a character. */
const text = (length: number): string => '😀'.repeat(length);

/** The limit of a text, or of the texts in a list, that the document states for a field of a command. */
const limits = commandCatalog.flatMap(({ type, data }) => {
  const fields = data instanceof z.ZodObject ? Object.entries<unknown>(data.shape) : [];
  return fields.flatMap(([name, schema]) => {
    if (!(schema instanceof z.ZodType)) return [];
    const stated = jsonSchemaOf(schema, 'input');
    const one = Limited.safeParse(stated).data;
    const list = ListOfLimited.safeParse(stated).data;
    const limit = one?.maxLength ?? list?.items.maxLength;
    const holds = (length: number) => schema.safeParse(one ? text(length) : [text(length)]).success;
    return limit === undefined ? [] : [{ title: `${type}.${name}`, limit, holds }];
  });
});

describe('the limits of texts', () => {
  it('are found', () => {
    const titles = limits.map(({ title }) => title);
    expect(titles).to.include.members(['CreateProject.name', 'CreateProject.tags', 'UpdateModel.description']);
  });

  for (const { title, limit, holds } of limits) {
    it(`count characters, as the document does: ${title}`, () => {
      expect([holds(limit), holds(limit + 1)]).to.deep.equal([true, false]);
    });
  }
});
