import type { Recorded } from '../events/catalog.ts';
import type { Reason } from '../events/values.ts';

/** Why a workflow cannot go on, and how it ends because of that. */
export interface Abort {
  reason: Reason;
  ending: 'failed' | 'cancelled';
}

export const failed = (code: string, message: string): Abort => ({ reason: { code, message }, ending: 'failed' });

/** Whatever ends a workflow before its time, for all processes alike; null: the event ends no workflow. */
export const abortOf = (event: Recorded): Abort | null => {
  switch (event.type) {
    case 'WorkflowStepFailed':
    case 'WorkflowCallFailed':
    case 'WorkflowCommandRefused':
      return { reason: event.data.reason, ending: 'failed' };
    case 'WorkflowTimerFired':
      if (event.data.timer !== DEADLINE) return null;
      return failed('deadline-exceeded', 'It was not done in time.');
    case 'WorkflowCancelRequested':
      return { reason: { code: 'cancelled', message: 'It was cancelled on request.' }, ending: 'cancelled' };
    default:
      return null;
  }
};

/** The timer that every workflow has. */
export const DEADLINE = 'deadline';
