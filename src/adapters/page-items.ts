/**
 * Iterates over the items of pages. An async generator costs three turns of the microtask queue per item; this costs
 * them once per page, which nearly doubles the speed of reading a long log. Once `signal` aborts, the rest of a page is
 * dropped, and the generator of pages decides how it ends.
 */
export const itemsOf = <T>(
  pages: AsyncGenerator<readonly T[], void>,
  signal: AbortSignal,
): AsyncIterableIterator<T, void> => {
  let page: readonly T[] = [];
  let next = 0;
  let turning: Promise<unknown> = Promise.resolve();

  const turn = async (): Promise<IteratorResult<T, void>> => {
    while (next >= page.length || signal.aborted) {
      const { done, value } = await pages.next();
      page = done ? [] : value;
      next = 0;
      if (done) return { done: true, value: undefined };
    }
    return take();
  };

  const take = (): IteratorResult<T, void> => {
    // The callers have checked that the item exists.
    const value = page[next] as T;
    next += 1;
    return { done: false, value };
  };

  return {
    next: () => {
      if (next < page.length && !signal.aborted) return Promise.resolve(take());
      // Two concurrent calls must not fetch two pages.
      const turned = turning.then(turn);
      turning = turned.catch(() => undefined);
      return turned;
    },
    return: async () => {
      page = [];
      await pages.return();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
};
