import { auditLog } from './audit-log.ts';
import { clusters } from './clusters.ts';
import { endpoints } from './endpoints.ts';
import { models } from './models.ts';
import { projects } from './projects.ts';
import { type ReadModel, readModelOf } from './read-model.ts';
import { users } from './users.ts';
import { workflows } from './workflows.ts';

/** Everything that the runner keeps up to date. */
export const readModelCatalog: readonly ReadModel[] = [
  readModelOf(projects),
  readModelOf(models),
  readModelOf(clusters),
  readModelOf(endpoints),
  readModelOf(workflows),
  readModelOf(users),
  auditLog,
];
