/**
 * Small helpers around the DOM. Text only ever goes in as text: nothing here parses
 * HTML.
 * @module
 */

/**
 * @typedef {Node | string | null | undefined | false} Child
 */

/**
 * Makes an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | null | undefined | ((e: any) => void)>} attributes a
 *   function is a listener, `true` an attribute without a value, `false` none at all
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      element.addEventListener(name, value);
    } else if (value === true) {
      element.setAttribute(name, '');
    } else if (typeof value === 'string') {
      element.setAttribute(name, value);
    }
  }
  element.append(...present(children));
  return element;
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
function present(children) {
  return /** @type {(Node | string)[]} */ (children.filter((c) => c !== null && c !== undefined && c !== false));
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) {
    throw new Error(`the page has no #${id}`);
  }
  return element;
}

/**
 * Sets text only when it differs, so that screen readers do not repeat it.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string | null} value null removes it
 */
export function setAttribute(element, name, value) {
  if (value === null) {
    element.removeAttribute(name);
  } else if (element.getAttribute(name) !== value) {
    element.setAttribute(name, value);
  }
}

/**
 * Gives the keyboard's focus to an element if what had it went off the screen. Browsers
 * notice that only after the next frame.
 * @param {HTMLElement | null} element
 */
export function catchFocus(element) {
  requestAnimationFrame(() => {
    setTimeout(() => {
      if (document.activeElement === document.body) {
        element?.focus({ preventScroll: true });
      }
    });
  });
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it is in the clipboard, from which browsers keep pages without HTTPS
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes a list's elements match its items, keeping elements whose item stays: focus and
 * animations survive.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} create
 * @param {(element: HTMLElement, item: T, index: number) => void} update
 */
export function renderList(parent, items, keyOf, create, update) {
  const keys = items.map(keyOf);
  const wanted = new Set(keys);
  /** @type {Map<string, HTMLElement>} */
  const old = new Map();
  for (const child of [...parent.children]) {
    const element = /** @type {HTMLElement} */ (child);
    const key = element.dataset.key ?? '';
    if (wanted.has(key)) {
      old.set(key, element);
    } else {
      element.remove(); // before all else: those after it are not moved then
    }
  }
  /** @type {Element | null} */
  let next = parent.firstElementChild;
  items.forEach((item, index) => {
    let element = old.get(keys[index]);
    if (!element) {
      element = create(item);
      element.dataset.key = keys[index];
    }
    update(element, item, index);
    if (element === next) {
      next = next.nextElementSibling;
    } else {
      parent.insertBefore(element, next);
    }
  });
}
