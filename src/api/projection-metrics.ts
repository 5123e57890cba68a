import { Gauge } from 'prom-client';
import { type HealthServices, projectionLag } from './routes/health.ts';

type Lag = Awaited<ReturnType<typeof projectionLag>>['lag'][number];

/**
 * Adds to `/metrics` how far each read model is behind the log, and how many of its events are parked. Asked for at each
 * scrape; where it cannot be told, the figures of the last scrape are not repeated.
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
  observe(
    'parked_events',
    'Events that a read model could not take in, and that wait for an operator',
    ({ parked }) => parked,
  );
};
