/** A call that the double answers in another way than the real server did. */
export interface Difference {
  /** What the double answers. */
  double: unknown;
  reason: string;
}

/** By call. Whatever is not here is answered alike; what is here and is answered alike fails, too. */
export const DIFFERENCES: Readonly<Record<string, Difference>> = {
  'all: appends to many streams at once': {
    double: 'in another order',
    reason:
      'The real server promises no order between streams and was seen to mix them under load; the double always mixes, so that nobody relies on one.',
  },
};

/** What a real server may answer in another way the next time; it is asked, and any answer will do. */
export const UNSTEADY: readonly string[] = ['all: appends to many streams at once'];
