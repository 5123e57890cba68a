import { z } from 'zod';

/** The URL of the cluster's ingress; empty where the cluster service is to find it. */
export const IngressUrl = z.union([z.literal(''), z.url({ protocol: /^https?$/ }).max(2000)]);
