import { z } from 'zod';
import { hasUserInfo } from '../../events/user-info.ts';

/** The URL of the cluster's ingress; empty where the cluster service is to find it. Who may see the cluster sees it. */
export const IngressUrl = z.union([
  z.literal(''),
  z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .refine((url) => !hasUserInfo(url), 'must have no user and no password: everybody who may see the cluster sees it'),
]);
