import type { Recorded } from '../events/catalog.ts';
import type { Reason } from '../events/values.ts';

/** Why a workflow is aborted, and the status with which it ends. */
export interface Abort {
  reason: Reason;
  ending: 'failed' | 'cancelled';
}

export const failed = (code: string, message: string): Abort => ({ reason: { code, message }, ending: 'failed' });

export const SUPERSEDED: Abort = {
  reason: { code: 'superseded', message: 'A deletion was requested, which ends this.' },
  ending: 'cancelled',
};

/** The abort that an event causes in every process manager; null: the event aborts nothing. */
export const abortOf = (event: Recorded): Abort | null => {
  switch (event.type) {
    case 'WorkflowStepFailed':
    case 'WorkflowCallFailed':
    case 'WorkflowCommandRefused':
      return { reason: event.data.reason, ending: 'failed' };
    case 'WorkflowTimerFired':
      if (event.data.timer !== DEADLINE) return null;
      return failed('deadline-exceeded', 'The workflow did not finish before its deadline.');
    case 'EndpointDeletionRequested':
    case 'ClusterDeletionRequested':
    case 'ModelDeleted':
      return SUPERSEDED;
    case 'WorkflowCancelRequested':
      return { reason: { code: 'cancelled', message: 'The workflow was cancelled on request.' }, ending: 'cancelled' };
    default:
      return null;
  }
};

/** The name of the timer that every workflow has. */
export const DEADLINE = 'deadline';
