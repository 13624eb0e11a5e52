/**
 * State that others watch.
 * @module
 */

export class Store extends EventTarget {
  #pending = false;

  /**
   * Tells of a change, once for all changes of the current turn of the event loop.
   * Not by requestAnimationFrame: a hidden page has no frames, but its title counts.
   */
  changed() {
    if (this.#pending) {
      return;
    }
    this.#pending = true;
    queueMicrotask(() => {
      this.#pending = false;
      this.dispatchEvent(new CustomEvent('change'));
    });
  }
}
