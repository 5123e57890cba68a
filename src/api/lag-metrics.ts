import { Gauge } from 'prom-client';
import { type HealthServices, readLag } from './routes/health.ts';

type Lag = Awaited<ReturnType<typeof readLag>>;
type Sample = [figure: number, labels?: Record<string, string>];

/**
 * Adds to `/metrics` how far the read models and the process managers are behind the log, and what waits. A scrape reads
 * the figures once for all gauges; if they cannot be read, the scrape has none.
 */
export const observeLag = (services: HealthServices): void => {
  let reading: Promise<Lag | null> | null = null;
  const read = (): Promise<Lag | null> => {
    reading ??= readLag(services)
      .catch(() => null)
      .finally(() => {
        reading = null;
      });
    return reading;
  };
  const observe = (name: string, help: string, samplesOf: (lag: Lag) => readonly Sample[], labelNames: string[] = []) =>
    new Gauge({
      name: `budapp_${name}`,
      help,
      labelNames,
      registers: [services.metrics],
      async collect() {
        this.reset();
        const lag = await read();
        for (const [figure, labels = {}] of lag ? samplesOf(lag) : []) this.set(labels, figure);
      },
    });

  type ProjectionLag = Lag['projections'][number];
  const observeProjections = (name: string, help: string, figureOf: (lag: ProjectionLag) => number) =>
    observe(
      `projection_${name}`,
      help,
      ({ projections }) => projections.map((each) => [figureOf(each), { projection: each.name }]),
      ['projection'],
    );
  observeProjections(
    'lag_seconds',
    'Seconds for which a read model that is behind the log has not moved; 0 once it has caught up',
    ({ lag_seconds }) => lag_seconds,
  );
  observeProjections(
    'parked_events',
    'Parked events of a read model, which wait for an operator',
    ({ parked }) => parked,
  );

  type ProcessLag = NonNullable<Lag['processes']>;
  const observeProcesses = (name: string, help: string, figureOf: (lag: ProcessLag) => number) =>
    observe(`process_${name}`, help, ({ processes }) => (processes ? [[figureOf(processes)]] : []));
  observeProcesses(
    'lag_seconds',
    'Seconds for which the process managers, while behind the log, have not moved; 0 once they have caught up',
    ({ lag_seconds }) => lag_seconds,
  );
  observeProcesses('open_intents', 'Commands and calls of process managers that are not done', ({ open }) => open);
  observeProcesses('parked_instances', 'Parked instances of process managers', ({ parked }) => parked);
  observeProcesses(
    'parked_intents',
    'Commands and calls of process managers that wait for an operator',
    ({ parked_intents }) => parked_intents,
  );
};
