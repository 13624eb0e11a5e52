/**
 * What a message looks like beyond its characters, a small part of Markdown: `code` and blocks of it between ``` fences, **strong**,
 * *emphasised* or _so_, ~~struck~~, a backslash before what is to stay as it is, and web and mail addresses.
 *
 * What is not whole stays as it was typed. It takes time in proportion to the text, whatever that is, and nests at most as deep as there
 * are kinds. It makes no HTML: whoever shows it makes one element for each part.
 * @module
 */

/**
 * @typedef {'code' | 'block' | 'strong' | 'em' | 'struck' | 'link'} Kind
 * @typedef {string | {kind: Kind, href?: string, parts: Part[]}} Part
 */

/** Where it opens, and what stands within it so far. @typedef {{mark: string, parts: Part[]}} Open */

const FENCED = /```(?:[\w+#.-]*\n)?([\s\S]*?)```\n?/g;
/** What directs the writing is no part of an address: it could have one be read as another. */
const ADDRESS = String.raw`(?<![\p{L}\p{N}])(?:https?:\/\/|mailto:)[^\s<>"'${'`'}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+`;
const TOKEN = new RegExp(String.raw`\\([${'`'}*_~])|(?<!${'`'})${'`'}([^${'`'}\n]+)${'`'}(?!${'`'})|(${ADDRESS})|\n[^\S\n]*\n|\*+|_+|~+`, 'gu');
/** What an address seldom ends with, and a sentence, or what is around an address, often. */
const AFTER = new Set('.,;:!?\'"*_~)]}');
const PROTOCOLS = new Set(['http:', 'https:', 'mailto:']);

/** @type {Record<string, Kind>} */
const KINDS = { '**': 'strong', '*': 'em', _: 'em', '~~': 'struck' };
/** One alone is of a word, or of a sum, where a letter or a digit is before it; before what follows an underscore, too. */
const WORDY = /[\p{L}\p{N}]/u;

/**
 * @param {string} text
 * @returns {Part[]} neighbours are never both strings
 */
export function parse(text) {
  /** @type {Part[]} */
  const parts = [];
  const append = (/** @type {Part} */ part) => parts.push(part);
  let end = 0;
  for (const fenced of text.matchAll(FENCED)) {
    const code = fenced[1].replace(/\n$/, '');
    if (code.trim()) {
      inline(text.slice(end, fenced.index).replace(/\n$/, '')).forEach(append);
      parts.push({ kind: 'block', parts: [code] });
      end = fenced.index + fenced[0].length;
    }
  }
  inline(text.slice(end)).forEach(append);
  return parts;
}

/**
 * @param {string} text
 * @param {(href: string) => string} [address] what stands for one
 * @returns {string} what is read of it
 */
export function plain(text, address = (href) => href) {
  /** @type {(part: Part) => string} */
  const read = (part) => {
    if (typeof part === 'string') {
      return part;
    }
    return part.href === undefined ? part.parts.map(read).join('') : address(part.href);
  };
  return parse(text)
    .map((part) => (typeof part !== 'string' && part.kind === 'block' ? ` ${read(part)} ` : read(part)))
    .join('')
    .trim();
}

/**
 * @param {string} text without blocks
 * @returns {Part[]}
 */
function inline(text) {
  /** @type {Open[]} */
  const stack = [{ mark: '', parts: [] }];
  let end = 0;
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const { index } = match;
    const [token, escaped, code, address] = match;
    add(top(stack), text.slice(end, index));
    end = index + token.length;
    if (escaped !== undefined) {
      add(top(stack), escaped);
    } else if (code !== undefined) {
      add(top(stack), code.trim() ? { kind: 'code', parts: [code] } : token);
    } else if (address !== undefined) {
      const href = trimmed(address);
      end = index + href.length;
      add(top(stack), linkable(href) ? { kind: 'link', href, parts: [href] } : href);
    } else if (token.startsWith('\n')) {
      undo(stack, 1); // a paragraph ends what was not closed
      add(top(stack), token);
    } else {
      mark(stack, token, text.slice(Math.max(0, index - 2), index), text.slice(end, end + 2));
    }
    TOKEN.lastIndex = end;
  }
  add(top(stack), text.slice(end));
  undo(stack, 1);
  return stack[0].parts;
}

/**
 * What is made of asterisks, underscores or tildes that stand together.
 * @param {Open[]} stack
 * @param {string} token
 * @param {string} before two code units
 * @param {string} after two code units
 */
function mark(stack, token, before, after) {
  const opens = /^\S/u.test(after);
  const closes = /\S$/u.test(before);
  const marks = token === '***' ? ['**', '*'] : [token];
  if (!marks.every((one) => one in KINDS)) {
    add(top(stack), token);
    return;
  }
  // Those within close first.
  const inner = [...stack].reverse().filter(({ mark: one }) => marks.includes(one)).map(({ mark: one }) => one);
  if (closes && inner.length === marks.length && !(token === '_' && WORDY.test([...after][0] ?? ''))) {
    inner.forEach((one) => close(stack, one));
    return;
  }
  const withinWord = token.length === 1 && WORDY.test([...before].at(-1) ?? '');
  if (opens && !withinWord && inner.length === 0) {
    marks.forEach((one) => stack.push({ mark: one, parts: [] }));
  } else {
    add(top(stack), token);
  }
}

/**
 * @param {Open[]} stack
 * @param {string} one of its marks
 */
function close(stack, one) {
  undo(stack, stack.findLastIndex((open) => open.mark === one) + 1);
  const { parts } = /** @type {Open} */ (stack.pop());
  if (parts.length > 0) {
    add(top(stack), { kind: KINDS[one], parts });
  } else {
    add(top(stack), one + one);
  }
}

/**
 * Takes what was opened and never closed as it was typed.
 * @param {Open[]} stack
 * @param {number} depth as much stays open
 */
function undo(stack, depth) {
  while (stack.length > depth) {
    const { mark: typed, parts } = /** @type {Open} */ (stack.pop());
    add(top(stack), typed);
    parts.forEach((part) => add(top(stack), part));
  }
}

/** @param {Open[]} stack */
function top(stack) {
  return stack[stack.length - 1].parts;
}

/**
 * @param {Part[]} parts
 * @param {Part} part
 */
function add(parts, part) {
  const last = parts.at(-1);
  if (typeof part === 'string' && typeof last === 'string') {
    parts[parts.length - 1] = last + part;
  } else if (part !== '') {
    parts.push(part);
  }
}

/**
 * @param {string} address
 * @returns {string} without what is of the sentence around it
 */
function trimmed(address) {
  const count = (/** @type {string} */ c) => address.split(c).length - 1;
  let spare = count(')') - count('('); // one that closes what opened in it is its own
  let end = address.length;
  while (end > 0 && AFTER.has(address[end - 1])) {
    if (address[end - 1] === ')' && spare-- <= 0) {
      break;
    }
    end--;
  }
  return address.slice(0, end);
}

/** @param {string} address */
function linkable(address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  return url !== null && PROTOCOLS.has(url.protocol) && (url.host !== '' || url.pathname.includes('@'));
}
