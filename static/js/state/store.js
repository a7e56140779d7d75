/** A store: one immutable state, changed only by pure transitions, and the functions that hear of changes. */

/**
 * @template S
 * @typedef {object} Store
 * @property {S} state  read only
 * @property {<A extends unknown[]>(transition: (state: S, ...args: A) => S, ...args: A) => void} update
 *   replaces the state by what `transition` returns for it; the same object means that nothing changed
 * @property {<R>(work: () => R) => R} batch  runs `work`; subscribers hear once, after it, of all that it
 *   changed
 * @property {(listener: (state: S, before: S) => void) => () => void} subscribe  returns the function that
 *   ends it
 */

/**
 * @template S
 * @param {S} initial
 * @returns {Store<S>}
 */
export function createStore(initial) {
  let state = initial;
  let announced = initial; // the state that subscribers know
  let depth = 0;
  /** @type {Set<(state: S, before: S) => void>} */
  const listeners = new Set();

  function announce() {
    if (depth || announced === state) return;
    const before = announced;
    announced = state;
    for (const listener of listeners) listener(state, before);
  }

  return {
    get state() { return state; },
    update(transition, ...args) {
      state = transition(state, ...args);
      announce();
    },
    batch(work) {
      depth += 1;
      try {
        return work();
      } finally {
        depth -= 1;
        announce();
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
