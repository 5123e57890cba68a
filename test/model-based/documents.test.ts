import { expect } from 'chai';
import { calls } from '../../src/contracts/calls.ts';
import { ALL_FAULTS, canHave, findSteps, runFault, type Step } from './fault-runs.ts';
import { renderClaims, renderFaults, renderStep } from './fault-table.ts';
import { checkGeneratedPart } from './generated-part.ts';
import { createTransitions, phasesOf, renderProcess } from './transitions.ts';
import { processes } from './world.ts';

/** Calls that the API makes, or nobody yet: no process waits for them. */
const NOT_OF_PROCESSES: ReadonlySet<string> = new Set([
  'cluster.edit',
  'cluster.autoscale',
  'cluster.deploy-adapter',
  'cluster.get-worker',
  'cluster.worker-logs',
  'model.scan',
  'model.delete-files',
  'simulator.recommendations',
  'metrics.analytics',
  'metrics.aggregated',
  'metrics.time-series',
  'notify.send',
]);
/** It only has a file removed. */
const WITHOUT_CALLS: ReadonlySet<string> = new Set(['model-deletion']);

/** Its only reaction creates the instance and ends it. */
const endsAtOnce = (name: string): boolean => name === 'model-deletion';

describe('What the processes do under faults', () => {
  const transitions = createTransitions();
  let steps: readonly Step[] = [];
  let tables = '';

  before('every fault at every step', async () => {
    steps = await findSteps(transitions.hear);
    for (const step of steps) {
      const rows = [];
      for (const fault of ALL_FAULTS) {
        if (canHave(step.call, fault)) rows.push(await runFault(step, fault, transitions.hear));
      }
      tables += renderStep(step, rows);
    }
  });

  it('is tried for every call of the contracts that a process makes', () => {
    const tried = new Set(steps.map(({ call }) => call));
    const forgotten = Object.keys(calls).filter((name) => !tried.has(name) && !NOT_OF_PROCESSES.has(name));
    expect(forgotten, 'add a scenario that makes the call').to.deep.equal([]);
    expect([...NOT_OF_PROCESSES].filter((name) => tried.has(name) || !(name in calls))).to.deep.equal([]);
  });

  it('is tried for every process', () => {
    const tried = new Set(steps.map(({ process }) => process));
    const forgotten = processes.map(({ name }) => name).filter((name) => !tried.has(name) && !WITHOUT_CALLS.has(name));
    expect(forgotten, 'add a scenario in which the process makes its calls').to.deep.equal([]);
  });

  it('is what docs/fault-table.md says', () => {
    checkGeneratedPart('fault-table.md', 'faults', renderFaults());
    checkGeneratedPart('fault-table.md', 'claims', renderClaims());
    checkGeneratedPart('fault-table.md', 'steps', tables);
  });

  it('passes through every phase of every process', () => {
    const unseen = processes.flatMap((manager) => {
      const seen = new Set(transitions.of(manager).flatMap(({ from, to }) => [from, to]));
      return phasesOf(manager)
        .filter((phase) => !seen.has(phase) && !endsAtOnce(manager.name))
        .map((phase) => `${manager.name}: ${phase}`);
    });
    expect(unseen, 'add a scenario that leads there').to.deep.equal([]);
  });

  for (const manager of processes) {
    it(`is the ${manager.name} of docs/processes.md`, () => {
      checkGeneratedPart('processes.md', manager.name, renderProcess(manager, transitions.of(manager)));
    });
  }
});
