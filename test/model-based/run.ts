import { type Action, describe, perform } from './actions.ts';
import { type Violation, violationsInTheEnd, violationsNow } from './invariants.ts';
import { createWorld, type World } from './world.ts';

const REPORT_SECONDS = 60;
const MOST_REPORTS = 60;
/** After so many reports in a row that change nothing the world is at rest. */
const QUIET_REPORTS = 3;

/** Everything that is due within the time until the next report. */
const workUntilNextReport = async (world: World): Promise<void> => {
  const end = world.now() + REPORT_SECONDS * 1000;
  for (let step = 0; step < 500; step += 1) {
    await world.work(200);
    const left = (end - world.now()) / 1000;
    if (left <= 0) return;
    if (world.advanceToNext(left)) continue;
    world.advance(left);
    return;
  }
};

/** All services are healthy, crashed replicas start again, and time passes until nothing changes any more. */
export const settle = async (world: World): Promise<void> => {
  world.restart();
  world.services.heal();
  world.services.restartWorkers();
  let quiet = 0;
  for (let report = 0; report < MOST_REPORTS && quiet < QUIET_REPORTS; report += 1) {
    world.services.report();
    const before = world.history.length;
    await world.watch();
    await workUntilNextReport(world);
    const isIdle = world.engine.nextDue() === null && world.services.running().length === 0;
    quiet = world.history.length === before && isIdle ? quiet + 1 : 0;
  }
};

/** A project, a model, a cluster and an endpoint with two replicas, all ready. */
export const prepare = async (world: World): Promise<void> => {
  await world.send('CreateProject', { name: 'prepared' });
  await world.upload('prepared');
  await world.send('RegisterCluster', { name: 'prepared', configuration: 'kind: Config' });
  await world.work(100);
  const [project, model] = [world.rows('projects')[0], world.rows('models')[0]];
  const wanted = { project_id: project?.id, model_id: model?.id, name: 'prepared', replicas: 2 };
  await world.send('DeployModel', wanted);
  await world.work(100);
  if (world.endpoints()[0]?.status !== 'running') throw new Error('the endpoint to begin with does not run');
};

export interface Run {
  violations: readonly Violation[];
  /** One line for each action, and what came of it. */
  trace: readonly string[];
  world: World;
}

/** Performs the actions from the prepared state, and lets everything come to rest. Ends early where something is wrong. */
export const runActions = async (actions: readonly Action[]): Promise<Run> => {
  const world = createWorld();
  const trace: string[] = [];
  await prepare(world);
  for (const action of actions) {
    trace.push(`${describe(action)} -> ${await perform(world, action)}`);
    const violations = violationsNow(world);
    if (violations.length > 0) return { violations, trace, world };
  }
  await settle(world);
  return { violations: violationsInTheEnd(world), trace, world };
};
