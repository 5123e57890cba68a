import { Gauge } from 'prom-client';
import { type HealthServices, processLag, projectionLag } from './routes/health.ts';

type Lag = Awaited<ReturnType<typeof projectionLag>>['lag'][number];

/**
 * Adds to `/metrics` how far each read model is behind the log, and how many of its events are parked. The figures are
 * read at each scrape; if they cannot be read, the scrape has none.
 */
export const observeProjections = (services: HealthServices): void => {
  const observe = (name: string, help: string, figureOf: (lag: Lag) => number) =>
    new Gauge({
      name: `budapp_projection_${name}`,
      help,
      labelNames: ['projection'],
      registers: [services.metrics],
      async collect() {
        this.reset();
        const { lag } = await projectionLag(services).catch(() => ({ lag: [] }));
        for (const each of lag) this.set({ projection: each.name }, figureOf(each));
      },
    });
  observe(
    'lag_seconds',
    'Seconds since a read model that is behind the log last moved; 0 once it has caught up',
    ({ lag_seconds }) => lag_seconds,
  );
  observe('parked_events', 'Parked events of a read model, which wait for an operator', ({ parked }) => parked);
};

/** Adds to `/metrics` how far the process managers are behind the log, and what waits. Read at each scrape, too. */
export const observeProcesses = (services: HealthServices): void => {
  type Lag = Awaited<ReturnType<typeof processLag>>;
  const observe = (name: string, help: string, figureOf: (lag: Lag) => number) =>
    new Gauge({
      name: `budapp_process_${name}`,
      help,
      registers: [services.metrics],
      async collect() {
        this.reset();
        const lag = await processLag(services).catch(() => null);
        if (lag) this.set(figureOf(lag));
      },
    });
  observe(
    'lag_seconds',
    'Seconds since the process managers, while behind the log, last moved; 0 once they have caught up',
    ({ lag_seconds }) => lag_seconds,
  );
  observe('open_intents', 'Commands and calls of process managers that are not done', ({ open }) => open);
  observe('parked_instances', 'Parked instances of process managers', ({ parked }) => parked);
};
