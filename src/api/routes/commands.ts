import { z } from 'zod';
import { commandCatalog } from '../../commands/catalog.ts';
import { defaultsOf } from '../command-defaults.ts';
import { commandRoutes } from '../command-route.ts';
import { jsonSchemaOf } from '../http/json-schema.ts';
import { resources } from '../resource.ts';
import { answers, ok, type Route, route } from '../route.ts';
import type { WriteServices } from '../write.ts';

const tag = 'commands';

const CommandAnswer = z.object({
  name: z.string(),
  summary: z.string(),
  area: z.string(),
  /**
   * A scope; several, joined by ` | `, where the thing decides which of them is needed; `system`: only processes and
   * services may ask for it.
   */
  permission: z.string(),
  creates: z.boolean(),
  /** JSON Schema of the body. */
  schema: z.looseObject({}),
});

const listCommands = (): z.output<typeof CommandAnswer>[] =>
  commandCatalog.map(({ type, summary, aggregate, permission, creates, data }) => ({
    name: type,
    summary,
    area: aggregate.area,
    permission: typeof permission === 'string' ? permission : permission.any_of.join(' | '),
    creates,
    schema: jsonSchemaOf(data, 'input'),
  }));

/** Every command by its name, with the same body, checks and answers as on its own path. */
export const commandCatalogRoutes = (services: WriteServices): Route[] => {
  const items = listCommands();
  const command = commandRoutes(services);
  return [
    route({
      method: 'GET',
      path: '/commands',
      operation_id: 'listCommands',
      summary: 'List all commands with the schemas of their data',
      tag,
      permission: 'signed-in',
      answers: answers(z.object({ items: z.array(CommandAnswer) }), 'All commands'),
      handle: async () => ok({ items }),
    }),
    ...commandCatalog.map((each) => {
      const defaults = defaultsOf(each.type);
      const made = command('POST', `/commands/${each.type}`, each, {
        tag,
        operation_id: `command${each.type}`,
        ...(defaults === undefined ? {} : { defaults }),
      });
      // Whether a process goes on is seen by what the command did, on whatever path it came.
      const description = 'The resource as it is now; `workflow_id` names the process that goes on';
      const { schema } = resources[each.aggregate.area];
      return { ...made, answers: { ...made.answers, accepted: { description, schema } } };
    }),
  ];
};
