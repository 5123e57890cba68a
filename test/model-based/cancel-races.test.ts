import { expect } from 'chai';
import { violationsInTheEnd, violationsNow } from './invariants.ts';
import { prepare, settle } from './run.ts';
import { createWorld, type World } from './world.ts';

/** What a user asks for, whose workflow another request cancels. */
const ORDERS: Readonly<Record<string, (world: World) => Promise<string>>> = {
  'a deployment': (world) => {
    const [project, model] = [world.rows('projects')[0], world.rows('models')[0]];
    return world.send('DeployModel', { project_id: project?.id, model_id: model?.id, name: 'second', replicas: 1 });
  },
  'a scaling up': (world) => world.send('ScaleEndpoint', { endpoint_id: world.endpoints()[0]?.id, replicas: 3 }),
  'a scaling down': (world) => world.send('ScaleEndpoint', { endpoint_id: world.endpoints()[0]?.id, replicas: 1 }),
  'the deletion of an endpoint': (world) => world.send('DeleteEndpoint', { endpoint_id: world.endpoints()[0]?.id }),
  'the registration of a cluster': (world) =>
    world.send('RegisterCluster', { name: 'second', configuration: 'kind: Config' }),
  'the onboarding of a model': (world) => world.upload('second'),
};

/** The smallest steps of everything that goes on. Which comes next is the seed's. */
const step = async (world: World, choice: number): Promise<void> => {
  const [job] = world.services.running();
  const envelope = world.services.takeFromOutbox(0);
  if (envelope) {
    // Messages are delivered first or last.
    if (choice % 3 === 0) await world.receive(envelope);
    else world.services.putBack(envelope);
  }
  if (choice % 3 === 1 && job) world.services.progress(job);
  if (choice % 5 === 0) {
    world.advance(1);
    await world.fireTimers();
  }
  if (choice % 2 === 0) await world.read(1);
  else await world.perform(choice);
};

/** The same numbers for the same seed. */
const numbers = (seed: number) => {
  let state = seed + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state % 1009;
  };
};

/** After so many steps the outcome is decided. */
const DECIDED: Readonly<Record<string, number>> = {
  'a deployment': 150,
  'a scaling down': 150,
  'the deletion of an endpoint': 14,
};
/** How many moments are tried of each. `RACE_MOMENTS` asks for more. */
const MOMENTS = Number(process.env.RACE_MOMENTS ?? 15);

describe('a request to cancel that races with success', () => {
  for (const [what, order] of Object.entries(ORDERS)) {
    it(`cancels ${what}, or is refused and changes nothing, at every moment`, async () => {
      const answers = new Set<string>();
      const decided = DECIDED[what] ?? 45;
      for (let n = 0; n < MOMENTS; n += 1) {
        const moment = Math.round((n * decided) / (MOMENTS - 1));
        const world = createWorld();
        await prepare(world);
        const before = new Set(world.rows('workflows').map(({ id }) => id));
        expect(await order(world), what).to.equal('done');
        const next = numbers(moment);
        for (let count = 0; count < moment; count += 1) await step(world, next());
        const workflow = () => world.rows('workflows').find(({ id }) => !before.has(id));
        const workflow_id = workflow()?.id;
        const answer = workflow_id ? await world.send('CancelWorkflow', { workflow_id }) : 'not started';
        answers.add(answer);
        expect(violationsNow(world)).to.deep.equal([]);
        await settle(world);
        const status = workflow()?.status;
        expect(status, `${what}, cancelled after ${moment} steps: ${answer}`).to.equal(
          answer === 'done' ? 'cancelled' : 'succeeded',
        );
        expect(violationsInTheEnd(world), `${what}, cancelled after ${moment} steps: ${answer}`).to.deep.equal([]);
      }
      // Without both the test would say nothing.
      expect([...answers]).to.include.members(['done']);
      expect([...answers].some((answer) => answer.startsWith('refused'))).to.equal(true);
    });
  }
});
