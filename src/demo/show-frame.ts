import type { Frame } from './live-stream.ts';
import { progressBar, type Say } from './story.ts';

interface Reason {
  code: string;
  message: string;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const reasonOf = (data: Frame['data']): string => {
  const reason = data.reason as Reason | undefined;
  return reason ? `: ${reason.message}` : '';
};

/** Shows the frames of one workflow and its resource: steps with a progress bar, other events as lines. */
export const frameShower = (say: Say) => {
  let steps: { id: string; title: string }[] = [];
  const done = new Set<string>();

  const titleOf = (id: unknown) => steps.find((step) => step.id === id)?.title ?? text(id);

  return (frame: Frame): void => {
    const { data } = frame;
    const kind = frame.type.split('.').at(-1) ?? frame.type;
    switch (kind) {
      case 'workflow-started':
        steps = data.steps as typeof steps;
        say(`${progressBar(0, steps.length)} workflow ${text(data.kind)} started`);
        return;
      case 'workflow-step-started':
        say(`${progressBar(done.size, steps.length)} ${titleOf(data.step)} ...`);
        return;
      case 'workflow-step-succeeded':
      case 'workflow-step-skipped':
        done.add(text(data.step));
        say(`${progressBar(done.size, steps.length)} ${titleOf(data.step)}: ${text(data.message) || 'done'}`);
        return;
      case 'workflow-step-failed':
        say(`${progressBar(done.size, steps.length)} ${titleOf(data.step)} failed${reasonOf(data)}`);
        return;
      case 'endpoint-placed':
        say(`placed on cluster ${text(data.cluster_name)}: ${(data.reasons as string[]).join('; ')}`);
        return;
      default:
        // Skips calls and raw results, which only the audit log needs.
        if (/^workflow-(call|result|eta|timer|message)/.test(kind)) return;
        say(`${kind.replaceAll('-', ' ')}${reasonOf(data)}`);
    }
  };
};
