/** Costs a test next to nothing: at the cost of production, a login on a loaded machine outlasts the provider's time-out. */
export const CHEAP_PASSWORD = { N: 2, r: 1, p: 1 } as const;
