import { ALL_FAULTS, FAULT_TEXTS, type FaultRow, type Step } from './fault-runs.ts';
import { CLAIMS } from './invariants.ts';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');

export const renderFaults = (): string =>
  table(
    ['fault', 'what the service does'],
    ALL_FAULTS.map((name) => [name, FAULT_TEXTS[name].text]),
  );

export const renderClaims = (): string =>
  table(
    ['claim', 'what must hold'],
    Object.entries(CLAIMS).map(([name, text]) => [name, text]),
  );

const renderRow = ({ fault, workflow, reason, then, afterwards, left }: FaultRow): string[] => [
  fault,
  reason === '' ? workflow : `${workflow}: \`${reason}\``,
  then,
  afterwards,
  left === '' ? 'nothing' : `**${left}**`,
];

export const renderStep = ({ process, call, scenario }: Step, rows: readonly FaultRow[]): string =>
  [
    `### ${process}: \`${call}\`\n\n`,
    `Where ${scenario.name}.\n\n`,
    table(['fault', 'the workflow', 'the resource', 'once all is well', 'broken claims'], rows.map(renderRow)),
    '\n',
  ].join('');
