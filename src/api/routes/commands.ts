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
   * The required scope. Several, joined by ` | `, where the resource decides which one. `system`: only
   * processes and services may send the command.
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

/** Serves every command under its name, with the same body, checks and answers as on its own path. */
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
      // The answer shows whether the command started a workflow, so one description serves all commands.
      const description = 'The resource as it is now; `workflow_id` names the workflow that the command started';
      const { schema } = resources[each.aggregate.area];
      return { ...made, answers: { ...made.answers, accepted: { description, schema } } };
    }),
  ];
};
