import type { Area } from '../events/catalog.ts';
import { auditLog } from './audit-log.ts';
import { clusters } from './clusters.ts';
import { endpoints } from './endpoints.ts';
import { models } from './models.ts';
import { projects } from './projects.ts';
import { type ReadModel, readModelOf } from './read-model.ts';
import { users } from './users.ts';
import { workflows } from './workflows.ts';

/** The read model of each area; the compiler asks a new area for its own. */
const areaReadModels: Readonly<Record<Area, ReadModel>> = {
  project: readModelOf(projects),
  model: readModelOf(models),
  cluster: readModelOf(clusters),
  endpoint: readModelOf(endpoints),
  workflow: readModelOf(workflows),
  user: readModelOf(users),
};

/** The read models that the runner keeps up to date. */
export const readModelCatalog: readonly ReadModel[] = [...Object.values(areaReadModels), auditLog];
