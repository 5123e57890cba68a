import { Listr, PRESET_TIMER } from 'listr2';
import { createClient } from './client.ts';
import { openLiveStream } from './live-stream.ts';
import { checkReplay, showHistory } from './look-back.ts';
import { createProject, registerCluster, uploadModel } from './prepare.ts';
import { deploy, infer, killReplica, remove } from './serve.ts';
import { type RunningServer, startServer } from './server-process.ts';
import type { Say, Story } from './story.ts';

export interface DemoOptions {
  /** The URL of a running BudApp; by default one is started for the demo and stopped afterwards. */
  url?: string;
  email: string;
  password?: string | undefined;
  /** The environment of the BudApp that is started. */
  environment: NodeJS.ProcessEnv;
}

type Step = readonly [title: string, run: (story: Story, say: Say) => Promise<void>];

const STEPS: readonly Step[] = [
  ['Create a project', createProject],
  ['Upload a real model', uploadModel],
  ['Register the local cluster', registerCluster],
  ['Deploy the model with 2 replicas', deploy],
  ['Send an inference request', infer],
  ["Kill a replica behind the platform's back", killReplica],
  ['Delete the endpoint', remove],
  ['Read its history from the log', showHistory],
  ['Rebuild its state as of the inference', checkReplay],
];

const connect = async ({ url, email, password, environment }: DemoOptions): Promise<RunningServer> => {
  if (!url) return startServer(environment);
  if (!password) throw new Error('--url needs --password, or ADMIN_PASSWORD');
  return { url, email, password, dataDir: null, close: async () => {} };
};

/** The Listr task of a step: shows its output and records its duration. */
const taskOf = ([title, run]: Step) => ({
  title,
  rendererOptions: { persistentOutput: true, outputBar: Number.POSITIVE_INFINITY },
  task: async (story: Story, task: { output: string }): Promise<void> => {
    const started = performance.now();
    await run(story, (line) => {
      task.output = line;
    });
    story.timings.push({ name: title, ms: performance.now() - started });
  },
});

const summarise = (story: Story, server: RunningServer, totalMs: number): string => {
  const width = Math.max(...story.timings.map(({ name }) => name.length));
  return [
    '',
    `BudApp at ${server.url} completed the demo in ${(totalMs / 1000).toFixed(1)} s:`,
    ...story.timings.map(({ name, ms }) => `  ${name.padEnd(width)}  ${ms.toFixed(0).padStart(6)} ms`),
    server.dataDir
      ? `The data of this run (log, read models, artefacts): ${server.dataDir}`
      : 'The data is in the folder of that BudApp.',
    'To use it yourself: npm start',
  ].join('\n');
};

/**
 * The main job, end to end, through the public HTTP and WebSocket API only. Throws the first error, after everything
 * that was started has been stopped.
 */
export const runDemo = async (options: DemoOptions, print: (text: string) => void): Promise<void> => {
  const started = performance.now();
  // Filled in step by step; each step relies on the values of the earlier ones.
  const story = { run: Date.now().toString(36), timings: [] as Story['timings'] } as Story;
  let server: RunningServer | null = null;
  const begin: Step = [
    options.url ? `Log in at ${options.url}` : 'Start BudApp on the embedded default, and log in',
    async (_story, say) => {
      server = await connect(options);
      story.client = createClient(server.url);
      await story.client.login(server.email, server.password);
      story.stream = await openLiveStream(story.client, 'now');
      say(`logged in at ${server.url} as ${server.email}`);
    },
  ];
  try {
    await new Listr([begin, ...STEPS].map(taskOf), {
      ctx: story,
      rendererOptions: { timer: PRESET_TIMER, collapseErrors: false },
    }).run();
    if (server) print(summarise(story, server, performance.now() - started));
  } finally {
    story.stream?.close();
    await (server as RunningServer | null)?.close();
  }
};
