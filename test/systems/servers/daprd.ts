import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChildSystem } from '../harness/child-system.ts';
import { claimFolder } from '../harness/leftover.ts';
import { keptPort } from '../harness/ports.ts';
import type { System } from '../harness/system.ts';
import { needTool } from '../install/tools.ts';

const DEPLOY = fileURLToPath(new URL('../../../deploy/dapr/', import.meta.url));
/** Where `deploy/dapr/config.yaml` has the file through which sidecars find each other. */
const NAMES_FILE = '/var/lib/dapr/names.db';

interface DaprdOptions {
  /** The same for all sidecars that are to find each other. */
  dir: string;
  app_id: string;
  /** Which of several of one application this one is. */
  instance?: string;
  app_port: number;
  /** Where the application says how it is; without it, it counts as well as soon as it listens. */
  health_path?: string;
  /** What the application must show the sidecar, and what the sidecar shows the application. */
  tokens: { dapr_api_token: string; app_api_token: string };
  /** The settings of the Redis behind the components. */
  redis: Readonly<Record<string, string>>;
}

interface Daprd extends System {
  http_port: number;
}

const writeConfig = async (dir: string): Promise<string> => {
  const text = await readFile(join(DEPLOY, 'config.yaml'), 'utf8');
  if (!text.includes(NAMES_FILE)) throw new Error(`deploy/dapr/config.yaml no longer has ${NAMES_FILE}`);
  await mkdir(dir, { recursive: true });
  const file = join(dir, 'dapr-config.yaml');
  await writeFile(file, text.replace(NAMES_FILE, join(dir, 'dapr-names.db')));
  return file;
};

const flags = (values: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`);

/** A sidecar with the components of `deploy/dapr`. It can be used as soon as they work; its application may come later. */
export const startDaprd = async (options: DaprdOptions): Promise<Daprd> => {
  const { dir, app_id, instance = '', app_port, health_path, tokens, redis } = options;
  const { program, version } = await needTool('daprd');
  const name = `dapr-${app_id}${instance}`;
  await claimFolder(dir, name);
  const config = await writeConfig(dir);
  const [http_port, grpc_port, internal_port] = await Promise.all([
    keptPort(dir, `${name}-http`),
    keptPort(dir, `${name}-grpc`),
    keptPort(dir, `${name}-internal`),
  ]);
  const health =
    health_path === undefined ? {} : { 'enable-app-health-check': 'true', 'app-health-check-path': health_path };
  const system = await startChildSystem({
    name,
    version,
    dir,
    settings: {
      DAPR_HTTP_PORT: String(http_port),
      DAPR_GRPC_PORT: String(grpc_port),
      DAPR_API_TOKEN: tokens.dapr_api_token,
      APP_API_TOKEN: tokens.app_api_token,
    },
    launch: {
      program,
      args: flags({
        'app-id': app_id,
        'app-port': app_port,
        ...health,
        'dapr-http-port': http_port,
        'dapr-grpc-port': grpc_port,
        'dapr-internal-grpc-port': internal_port,
        'dapr-listen-addresses': '127.0.0.1',
        'dapr-internal-grpc-listen-address': '127.0.0.1',
        'enable-metrics': 'false',
        'resources-path': join(DEPLOY, 'components'),
        config,
      }),
      env: {
        ...redis,
        DAPR_API_TOKEN: tokens.dapr_api_token,
        APP_API_TOKEN: tokens.app_api_token,
        // What it tells the others, who are on this machine.
        DAPR_HOST_IP: '127.0.0.1',
      },
      cwd: dir,
    },
    ask: async () => {
      const response = await fetch(`http://127.0.0.1:${http_port}/v1.0/healthz/outbound`, {
        signal: AbortSignal.timeout(2000),
      });
      if (!response.ok) throw new Error(`answered ${response.status}`);
    },
  });
  return { ...system, http_port };
};
