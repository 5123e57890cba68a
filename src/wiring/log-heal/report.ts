import type { Some } from './compare-audit.ts';
import type { Diagnosis, Healed } from './heal.ts';
import type { Unrecoverable } from './unrecoverable.ts';

/* What `budapp log heal` prints. */

const counted = (number: number): string => number.toLocaleString('en');
const plural = (number: number, one: string): string => `${counted(number)} ${one}${number === 1 ? '' : 's'}`;

const namesOf = (names: readonly string[], all: number): string =>
  `${names.join(', ')}${all > names.length ? `, and ${counted(all - names.length)} more` : ''}`;

const describe = ({ events, streams, first_at, last_at, examples }: Some): string => {
  const times = first_at && last_at ? `, from ${first_at.toISOString()} to ${last_at.toISOString()}` : '';
  return `${plural(events, 'event')} of ${plural(streams, 'stream')}${times}: ${namesOf(examples, streams)}`;
};

const of = (what: string, some: Some): string[] => (some.events === 0 ? [] : [`${what}: ${describe(some)}.`]);

const notRecoverable = ({ streams, instances, checkpoints }: Unrecoverable): string[] => {
  const parts = [
    ...(streams.length > 0 ? [`streams ${namesOf(streams, streams.length)}`] : []),
    ...(instances.length > 0 ? [`process instances ${namesOf(instances, instances.length)}`] : []),
    ...(checkpoints.length > 0 ? [`read further than the audit: ${namesOf(checkpoints, checkpoints.length)}`] : []),
  ];
  return parts.length === 0
    ? []
    : [`Not recoverable: what was accepted and had not reached the audit (${parts.join('; ')}).`];
};

/** True where the log has all that the audit has, and nothing was read beyond it. */
export const isWhole = ({ missing, gapped, displaced, unrecoverable }: Diagnosis): boolean =>
  missing.events + gapped.events + displaced.events === 0 && notRecoverable(unrecoverable).length === 0;

/** Line by line what was found. */
export const diagnosisLines = (diagnosis: Diagnosis): string[] => {
  const { in_log, in_audit, missing, gapped, displaced, unknown, removed, unrecoverable } = diagnosis;
  return [
    `The log has ${plural(in_log, 'event')}, the audit ${counted(in_audit)}.`,
    ...of('Missing in the log', missing),
    ...of('Not recoverable, since the audit lacks an event before them in their stream', gapped),
    ...of('Missing, and other events stand in their place', displaced),
    ...of('In the log, and not in the audit', unknown),
    ...of('Removed from the log on purpose (a scavenge), left as it is', removed),
    ...notRecoverable(unrecoverable),
    ...(isWhole(diagnosis) ? ['The log holds all that the audit holds.'] : []),
  ];
};

export const impossibleLines = ({ unknown, displaced }: Diagnosis): string[] => [
  displaced.events > 0
    ? 'The missing events cannot be appended: other events stand in their streams.'
    : `The missing events cannot be appended: ${plural(unknown.events, 'event')} that nobody has read came after them.`,
  'Restore a newer backup of the log if there is one. Otherwise --accept-loss takes the log as it is: what is missing is lost.',
];

export const doneLines = (
  { appended, kept, taken: { rebuilt, orphans, work } }: Extract<Healed, { outcome: 'done' }>,
  lostEvents: string,
): string[] => [
  ...(appended > 0 ? [`Appended ${plural(appended, 'event')}.`] : []),
  ...(kept > 0 ? [`Kept ${plural(kept, 'lost event')} in ${lostEvents}.`] : []),
  'Every stored position is that of the same event in the log.',
  ...(rebuilt.length > 0 ? [`Read models that are built anew after the start: ${rebuilt.join(', ')}.`] : []),
  ...(work.refolded + work.gone > 0
    ? [`Processes: ${counted(work.refolded)} folded anew, ${counted(work.gone)} ended since no fact of theirs is left.`]
    : []),
  ...(work.reopened > 0
    ? [`${plural(work.reopened, 'command or call')} of processes performed again, since the outcome is lost.`]
    : []),
  ...orphans.map(
    ({ name, endpoint_id, bud_cluster_id, namespace }) =>
      `${name} (${endpoint_id}) is removed from the cluster ${bud_cluster_id}, namespace ${namespace}: it was deployed, and the log knows nothing of it.`,
  ),
  'Start BudApp.',
];
