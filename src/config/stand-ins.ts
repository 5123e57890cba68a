import type { Given } from './given.ts';

/** The systems that a stand-in can replace, by the names that `ALLOW_STAND_INS` uses. */
export const STAND_INS = [
  'postgres',
  'identity',
  'status-bus',
  'object-store',
  'cluster',
  'model',
  'simulator',
  'metrics',
] as const;
export type StandIn = (typeof STAND_INS)[number];

/** The setting that names a service's address. A sidecar, which knows all services, replaces any of them. */
const SERVICES = {
  cluster: 'BUDCLUSTER_SERVICE_URL',
  model: 'BUDMODEL_SERVICE_URL',
  simulator: 'BUDSIM_SERVICE_URL',
  metrics: 'BUDMETRICS_SERVICE_URL',
} as const;

/** The settings of which one puts the real system in the stand-in's place. */
const REPLACED_BY: Readonly<Record<StandIn, readonly string[]>> = {
  postgres: ['POSTGRES_HOST'],
  identity: ['KEYCLOAK_URL'],
  'status-bus': ['NATS_URL'],
  'object-store': ['MINIO_ENDPOINT'],
  cluster: [SERVICES.cluster, 'DAPR_HTTP_PORT'],
  model: [SERVICES.model, 'DAPR_HTTP_PORT'],
  simulator: [SERVICES.simulator, 'DAPR_HTTP_PORT'],
  metrics: [SERVICES.metrics, 'DAPR_HTTP_PORT'],
};

/** The parts of BudApp that may run in processes of their own. */
export const ROLES = ['api', 'projector', 'processes'] as const;
export type ProcessRole = (typeof ROLES)[number];

const CALLED = ['cluster', 'model', 'simulator', 'metrics'] as const;

/** The systems that each role works with. */
const NEEDED_BY: Readonly<Record<ProcessRole, readonly StandIn[]>> = {
  api: STAND_INS,
  projector: ['postgres', 'status-bus'],
  processes: ['postgres', 'object-store', ...CALLED],
};

/** The stand-ins that these settings lead to, in a process with these roles. */
export const standInsOf = (given: Given, roles: readonly ProcessRole[]): StandIn[] =>
  STAND_INS.filter(
    (name) =>
      roles.some((role) => NEEDED_BY[role].includes(name)) &&
      REPLACED_BY[name].every((setting) => given[setting] === undefined),
  );

interface Choice {
  roles: readonly ProcessRole[];
  /** The stand-ins that production accepts. */
  allowed: readonly StandIn[];
}

const refusedStandIns = (given: Given, { roles, allowed }: Choice): string[] =>
  standInsOf(given, roles)
    .filter((name) => !allowed.includes(name))
    .map((name) => {
      const way = REPLACED_BY[name].join(' or ');
      return `${name} would be a stand-in, which NODE_ENV=production refuses: set ${way}, or add ${name} to ALLOW_STAND_INS`;
    });

/** Several processes must share their systems, and a stand-in serves one process, or one machine. */
const unshared = (given: Given, roles: readonly ProcessRole[]): string[] => {
  if (roles.length === ROLES.length) return [];
  const shared = standInsOf(given, roles).map((name) => {
    const way = REPLACED_BY[name].join(' or ');
    return `ROLES=${roles.join(',')} needs one ${name} for all processes: set ${way}`;
  });
  const secret = ['DAPR_API_TOKEN', 'APP_API_TOKEN'].every((name) => given[name] === undefined)
    ? [`ROLES=${roles.join(',')} needs one secret for all processes: set APP_API_TOKEN or DAPR_API_TOKEN`]
    : [];
  return [...shared, ...secret];
};

/** The stand-ins that these settings lead to and that must not be. */
export const standInRules = (given: Given, choice: Choice): string[] => [
  ...unshared(given, choice.roles),
  ...(given.NODE_ENV === 'production' ? refusedStandIns(given, choice) : []),
];
