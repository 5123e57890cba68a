import { z } from 'zod';

/** Where the cluster lets requests in; empty: the cluster service finds out. */
export const IngressUrl = z.union([z.literal(''), z.url({ protocol: /^https?$/ }).max(2000)]);
