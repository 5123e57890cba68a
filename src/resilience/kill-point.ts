/** The moments between two writes at which a test kills this process; each is in the code once. */
export const KILL_POINTS = [
  // Commands: a name, the resource that holds it, and the name that it gave up are streams of their own.
  'command: name reserved',
  'command: facts appended',
  'command: names released',
  // Uploads.
  'upload: file stored',
  'upload: model registered',
  // The reader of the process managers.
  'reader: batch taken, not committed',
  'reader: batch committed',
  // The dispatcher.
  'dispatcher: intents claimed',
  'dispatcher: call answered, not recorded',
  'dispatcher: attempt made, not stored',
  'dispatcher: attempt stored',
  'dispatcher: timers fired',
  // The projector.
  'projector: batch written, not committed',
  'projector: batch committed',
  // `budapp log heal`.
  'log heal: begun',
  'log heal: events appended',
  'log heal: all appended',
  'log heal: lost events kept',
  'log heal: moved, not committed',
  'log heal: committed',
] as const;
export type KillPoint = (typeof KILL_POINTS)[number];

export const isKillPoint = (name: string): name is KillPoint => KILL_POINTS.some((known) => known === name);

/** Where this process ends, and how often it passes there before; null: nowhere, as in production. */
let armed: { point: KillPoint; passes: number } | null = null;

/** Only the start of a process arms it, once. */
export const armKillPoint = (point: KillPoint, passes: number): void => {
  armed = { point, passes };
};

/** Ends this process by SIGKILL where a test has armed this point. */
export const killPoint = (point: KillPoint): void => {
  if (armed?.point !== point) return;
  armed.passes -= 1;
  if (armed.passes < 0) process.kill(process.pid, 'SIGKILL');
};
