/** What can stand in for a real system, by the name that `ALLOW_STAND_INS` uses. */
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

/** The settings as the environment gives them; what is not set is absent. */
type Given = Readonly<Record<string, string>>;

/** Systems that this version does not connect to yet: setting one must not look as if it worked. */
const NOT_YET = {
  BUDNOTIFY_SERVICE_URL: 'the notify service',
} as const;

const notYet = (given: Given): string[] =>
  Object.entries(NOT_YET)
    .filter(([name]) => given[name] !== undefined)
    .map(([name, system]) => `${name} is set, but this version does not connect to ${system} yet; remove it`);

const KEYCLOAK_COMPANIONS = ['KEYCLOAK_REALM', 'KEYCLOAK_CLIENT_ID', 'KEYCLOAK_CLIENT_SECRET'] as const;
const MINIO_COMPANIONS = ['MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY'] as const;

/** A system's address, and what it needs besides. */
const COMPANIONS = [
  ['KEYCLOAK_URL', KEYCLOAK_COMPANIONS],
  ['MINIO_ENDPOINT', MINIO_COMPANIONS],
  // A generated master key would stay behind on this machine while the data lives on that server.
  ['POSTGRES_HOST', ['MASTER_KEY']],
] as const;

const missingCompanions = (given: Given): string[] =>
  COMPANIONS.flatMap(([leader, companions]) =>
    given[leader] === undefined
      ? []
      : companions.filter((name) => given[name] === undefined).map((name) => `${name} must be set where ${leader} is`),
  );

/** Means nothing without its system's address, which somebody forgot: a stand-in would quietly serve instead. */
const LEADERS = [
  ['KEYCLOAK_URL', KEYCLOAK_COMPANIONS],
  ['MINIO_ENDPOINT', MINIO_COMPANIONS],
] as const;

const missingLeader = (given: Given): string[] =>
  LEADERS.flatMap(([leader, companions]) =>
    given[leader] === undefined
      ? companions.filter((name) => given[name] !== undefined).map((name) => `${name} is set, but ${leader} is not`)
      : [],
  );

/** What a service is replaced by: its address, or a sidecar that knows all of them. */
const SERVICES = {
  cluster: 'BUDCLUSTER_SERVICE_URL',
  model: 'BUDMODEL_SERVICE_URL',
  simulator: 'BUDSIM_SERVICE_URL',
  metrics: 'BUDMETRICS_SERVICE_URL',
} as const;

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
export type Role = (typeof ROLES)[number];

const CALLED = ['cluster', 'model', 'simulator', 'metrics'] as const;

/** What each role works with. */
const NEEDED_BY: Readonly<Record<Role, readonly StandIn[]>> = {
  api: STAND_INS,
  projector: ['postgres', 'status-bus'],
  processes: ['postgres', 'object-store', ...CALLED],
};

/** What stands in with these settings, in a process with these roles. */
export const standInsOf = (given: Given, roles: readonly Role[]): StandIn[] =>
  STAND_INS.filter(
    (name) =>
      roles.some((role) => NEEDED_BY[role].includes(name)) &&
      REPLACED_BY[name].every((setting) => given[setting] === undefined),
  );

interface Choice {
  roles: readonly Role[];
  allowed: readonly StandIn[];
}

const refusedStandIns = (given: Given, { roles, allowed }: Choice): string[] =>
  standInsOf(given, roles)
    .filter((name) => !allowed.includes(name))
    .map((name) => {
      const way = REPLACED_BY[name].join(' or ');
      return `${name} would be a stand-in, which NODE_ENV=production refuses: set ${way}, or add ${name} to ALLOW_STAND_INS`;
    });

/** What several processes must share: a stand-in lives in one process, or on one machine. */
const unshared = (given: Given, roles: readonly Role[]): string[] => {
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

/** What is wrong with the settings together, though each of them can be read. */
export const brokenRules = (given: Given, choice: Choice): string[] => [
  ...missingCompanions(given),
  ...missingLeader(given),
  ...notYet(given),
  ...unshared(given, choice.roles),
  ...(given.NODE_ENV === 'production' ? refusedStandIns(given, choice) : []),
];
