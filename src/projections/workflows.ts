import { z } from 'zod';
import type { WorkflowFact } from '../events/catalog.ts';
import { ProjectId, UserId } from '../events/ids.ts';
import { Reason } from '../events/values.ts';
import { WorkflowKind, WorkflowTarget } from '../events/workflow-events.ts';
import { projection } from './projection.ts';

export const WorkflowStatus = z.enum(['running', 'succeeded', 'failed', 'cancelled']);

export const WorkflowStep = z.object({
  id: z.string(),
  title: z.string(),
  status: z.enum(['pending', 'running', 'succeeded', 'failed', 'skipped']),
  message: z.string().nullable(),
  reason: Reason.nullable(),
  started_at: z.string().nullable(),
  ended_at: z.string().nullable(),
});
export type WorkflowStep = z.output<typeof WorkflowStep>;

export const WorkflowRow = z.object({
  kind: WorkflowKind,
  target: WorkflowTarget,
  /** Null where the target belongs to no project. */
  project_id: ProjectId.nullable(),
  user_id: UserId,
  status: WorkflowStatus,
  reason: Reason.nullable(),
  /** When the workflow got its status. */
  since: z.string(),
  /** When the workflow or its running step must have ended; null once the workflow has ended. */
  deadline: z.string().nullable(),
  cancel_requested_at: z.string().nullable(),
  steps: z.array(WorkflowStep),
  /** The fraction of steps that have ended, from 0 to 1. */
  progress: z.number().min(0).max(1),
  /** A service's estimate of the end. */
  eta: z.string().nullable(),
});
export type WorkflowRow = z.output<typeof WorkflowRow>;

const hasEnded = ({ status }: WorkflowStep): boolean => status !== 'pending' && status !== 'running';

const withSteps = (row: WorkflowRow, steps: WorkflowStep[]): WorkflowRow => ({
  ...row,
  steps,
  // Never divides by zero: a workflow starts with at least one step.
  progress: steps.filter(hasEnded).length / steps.length,
});

const withStep = (row: WorkflowRow, id: string, change: Partial<WorkflowStep>): WorkflowRow =>
  withSteps(
    row,
    row.steps.map((step) => (step.id === id ? { ...step, ...change } : step)),
  );

const newStep = (id: string, title: string): WorkflowStep => ({
  id,
  title,
  status: 'pending',
  message: null,
  reason: null,
  started_at: null,
  ended_at: null,
});

const titleOf = ({ steps }: WorkflowRow, id: string): string => steps.find((step) => step.id === id)?.title ?? id;

const CANCELLING: Reason = {
  code: 'cancelling',
  message: 'The workflow is being cancelled: what it did so far is taken back.',
};

interface Ending {
  status: 'succeeded' | 'failed' | 'cancelled';
  reason: Reason | null;
  at: string;
}

const NOT_NEEDED: Reason = { code: 'not-needed', message: 'The workflow did not need this step.' };

/**
 * Closes a step when the workflow ends: a running step has failed unless the workflow succeeded, any other is skipped.
 */
const closeStep = (step: WorkflowStep, { status, reason, at }: Ending): WorkflowStep => {
  if (hasEnded(step)) return step;
  const because = reason ?? NOT_NEEDED;
  const brokenOff = step.status === 'running' && status !== 'succeeded';
  return { ...step, status: brokenOff ? 'failed' : 'skipped', reason: because, ended_at: at };
};

const ended = (row: WorkflowRow, ending: Ending): WorkflowRow => ({
  ...row,
  status: ending.status,
  reason: ending.reason,
  since: ending.at,
  deadline: null,
  eta: null,
  steps: row.steps.map((step) => closeStep(step, ending)),
  progress: ending.status === 'succeeded' ? 1 : row.progress,
});

const after = (at: string, minutes: number): string => new Date(Date.parse(at) + minutes * 60_000).toISOString();

const unchanged = (row: WorkflowRow): WorkflowRow => row;

/** The current state of workflows: `workflow` in design.md, "State machines". */
export const workflows = projection<WorkflowRow, WorkflowFact, 'WorkflowStarted'>({
  name: 'workflows',
  area: 'workflow',
  version: 2,
  row: WorkflowRow,
  on: {
    WorkflowStarted: (_row, { data, at }) => ({
      kind: data.kind,
      target: data.target,
      project_id: data.project_id,
      user_id: data.user_id,
      status: 'running',
      reason: { code: 'starting', message: `The first step comes next: ${data.steps[0]?.title ?? 'none'}.` },
      since: at,
      deadline: data.deadline,
      cancel_requested_at: null,
      steps: data.steps.map(({ id, title }) => newStep(id, title)),
      progress: 0,
      eta: null,
    }),
    WorkflowStepStarted: (row, { data, at }) => ({
      ...withStep(row, data.step, { status: 'running', message: data.message, started_at: at }),
      reason: { code: 'step-running', message: data.message || titleOf(row, data.step) },
      deadline: data.deadline,
    }),
    WorkflowStepSucceeded: (row, { data, at }) =>
      withStep(row, data.step, { status: 'succeeded', message: data.message, reason: null, ended_at: at }),
    WorkflowStepFailed: (row, { data, at }) =>
      withStep(row, data.step, { status: 'failed', reason: data.reason, ended_at: at }),
    WorkflowStepSkipped: (row, { data, at }) =>
      withStep(row, data.step, { status: 'skipped', reason: data.reason, ended_at: at }),
    WorkflowStepRetried: (row, { data }) => ({
      ...withStep(row, data.step, { status: 'running', reason: data.reason, ended_at: null }),
      reason: data.reason,
      deadline: data.deadline,
    }),
    WorkflowUndoStarted: (row, { data, at }) => ({
      ...withSteps(row, [
        ...row.steps.map((step) => closeStep(step, { status: 'failed', reason: data.reason, at })),
        ...data.steps.map(({ id, title }) => newStep(id, title)),
      ]),
      reason: data.reason,
      deadline: data.deadline,
      eta: null,
    }),
    WorkflowEtaReported: (row, { data, at }) => ({ ...row, eta: after(at, data.eta_minutes) }),
    // Internal to the process: the audit log shows these events, the workflow does not.
    WorkflowCallAnswered: unchanged,
    WorkflowCallFailed: unchanged,
    WorkflowCommandRefused: unchanged,
    WorkflowResultReceived: unchanged,
    WorkflowMessageIgnored: unchanged,
    WorkflowParkedWorkResumed: unchanged,
    WorkflowTimerFired: unchanged,
    WorkflowCancelRequested: (row, { at }) => ({ ...row, cancel_requested_at: at, reason: CANCELLING }),
    WorkflowSucceeded: (row, { at }) => ended(row, { status: 'succeeded', reason: null, at }),
    WorkflowFailed: (row, { data, at }) => ended(row, { status: 'failed', reason: data.reason, at }),
    WorkflowCancelled: (row, { data, at }) => ended(row, { status: 'cancelled', reason: data.reason, at }),
  },
});
