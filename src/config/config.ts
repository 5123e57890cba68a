import { z } from 'zod';
import { DeadlineSettings, deadlinesOf } from './deadlines.ts';
import { EventStoreSettings, eventStoreOf } from './eventstore.ts';
import { type Given, setVariables } from './given.ts';
import { IdentitySettings, identityOf, identityRules } from './identity.ts';
import { KillPointSettings, killPointOf, killPointRules } from './kill-point.ts';
import {
  type LocalServiceConfig,
  type LocalServiceNeeds,
  LocalServiceSettings,
  localServiceOf,
  localServiceRules,
} from './local-service.ts';
import { ObjectsSettings, objectsOf, objectsRules } from './objects.ts';
import { PostgresSettings, postgresOf, postgresRules } from './postgres.ts';
import { ServerSettings, serverOf } from './server.ts';
import { ServicesSettings, servicesOf, servicesRules } from './services.ts';
import { ROLES, STAND_INS, standInRules, standInsOf } from './stand-ins.ts';
import { StatusSettings, statusOf, statusRules } from './status.ts';
import { StatusBusSettings, statusBusOf } from './status-bus.ts';

/** Every setting, as the environment spells it: each system's part is in its file. `.env.example` explains them. */
const Environment = z.object({
  ...ServerSettings.shape,
  ...IdentitySettings.shape,
  ...PostgresSettings.shape,
  ...EventStoreSettings.shape,
  ...StatusBusSettings.shape,
  ...ObjectsSettings.shape,
  ...ServicesSettings.shape,
  ...DeadlineSettings.shape,
  ...StatusSettings.shape,
  ...KillPointSettings.shape,
});
type Environment = z.output<typeof Environment>;

/** The names of all settings, as `.env.example` must list them. */
export const SETTINGS: readonly string[] = Object.keys(Environment.shape);

/** The settings are wrong; the message lists every problem, one a line. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The settings are not right:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const configOf = (env: Environment, given: Given) => ({
  ...serverOf(env),
  /** What stands in for a real system with these settings. */
  stand_ins: standInsOf(given, env.ROLES),
  ...identityOf(env),
  ...postgresOf(env),
  ...eventStoreOf(env),
  ...statusBusOf(env),
  ...objectsOf(env),
  ...servicesOf(env),
  ...deadlinesOf(env),
  ...statusOf(env),
  ...killPointOf(env),
});
export type Config = ReturnType<typeof configOf>;

/** What is wrong with the settings together, though each of them can be read. */
const brokenRules = (given: Given, env: Environment | undefined): string[] => [
  ...identityRules(given),
  ...postgresRules(given),
  ...objectsRules(given),
  ...servicesRules(given),
  ...statusRules(env),
  ...killPointRules(env),
  // Where a setting cannot be read, the roles are not known: then only that is a problem, not what might follow from it.
  ...standInRules(given, { roles: env?.ROLES ?? ROLES, allowed: env ? (env.ALLOW_STAND_INS ?? []) : STAND_INS }),
];

const unreadable = (error: z.ZodError | undefined): string[] =>
  error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`) ?? [];

/**
 * The settings from the environment. Throws one `ConfigError` that lists every problem. Variables that are not BudApp's
 * are ignored; a message never repeats a secret.
 */
export const loadConfig = (env: NodeJS.ProcessEnv = process.env): Config => {
  const given = setVariables(env);
  const parsed = Environment.safeParse(given);
  const problems = [...unreadable(parsed.error), ...brokenRules(given, parsed.data)];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return configOf(parsed.data, given);
};

/** The settings of a local service that is a process of its own. Throws one `ConfigError` that lists every problem. */
export const loadLocalServiceConfig = (
  needs: LocalServiceNeeds,
  env: NodeJS.ProcessEnv = process.env,
): LocalServiceConfig => {
  const parsed = LocalServiceSettings.safeParse(setVariables(env));
  const problems = parsed.success ? localServiceRules(parsed.data, needs) : unreadable(parsed.error);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return localServiceOf(parsed.data);
};

/** The environment as it is, to be handed on to a child process. */
export const inheritedEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env });
