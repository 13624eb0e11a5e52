/**
 * The page's icons, drawn on a grid of 24 by 24 with round strokes.
 * @module
 */

const SVG = 'http://www.w3.org/2000/svg';

const MIC = 'M9 6a3 3 0 0 1 6 0v5a3 3 0 0 1-6 0zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21';
const HEADPHONES =
  'M4.5 15v-3a7.5 7.5 0 0 1 15 0v3M4.5 14h2a1 1 0 0 1 1 1v4a1 1 0 0 1-1 1h-1a2 2 0 0 1-2-2v-3a1 1 0 0 1 1-1z' +
  'M19.5 14h-2a1 1 0 0 0-1 1v4a1 1 0 0 0 1 1h1a2 2 0 0 0 2-2v-3a1 1 0 0 0-1-1z';
const STROKE_OUT = 'M4 3.5l16.5 17';

/** Path data by name. */
const PATHS = {
  mic: MIC,
  'mic-off': MIC + STROKE_OUT,
  headphones: HEADPHONES,
  'headphones-off': HEADPHONES + STROKE_OUT,
  ear: 'M7 9.5a5 5 0 0 1 10 0c0 3.5-3.5 4-3.5 7a3 3 0 0 1-5.7 1.3M10 9.7a2 2 0 0 1 4 0c0 1.3-1.2 1.8-1.7 2.8',
  star: 'M12 4l2.4 5 5.6.8-4 3.9.9 5.5-4.9-2.6-4.9 2.6.9-5.5-4-3.9 5.6-.8z',
  leave:
    'M3.6 14.8a1.7 1.7 0 0 1-.1-2.3C5.6 10 8.6 8.8 12 8.8s6.4 1.2 8.5 3.7a1.7 1.7 0 0 1-.1 2.3l-1.3 1.2' +
    'a1.5 1.5 0 0 1-1.9.1l-1.7-1.2a1.5 1.5 0 0 1-.6-1.4l.1-1.2a10.5 10.5 0 0 0-6 0l.1 1.2a1.5 1.5 0 0 1-.6 1.4' +
    'l-1.7 1.2a1.5 1.5 0 0 1-1.9-.1z',
  channel: 'M4 10v4h3l4.5 3.5v-11L7 10zM15 9.2a4 4 0 0 1 0 5.6M17.7 6.5a7.8 7.8 0 0 1 0 11',
  radio: 'M8 9h8.5v11.5H8zM10 9V3.5M10.5 12h3.5M10.5 14.5h3.5',
  invite:
    'M10 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3.8 19.5c.3-3.2 2.9-5.3 6.2-5.3 1.6 0 3 .5 4.1 1.4M18.5 13v7M15 16.5h7',
  people:
    'M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.8 19.5c.3-3.2 2.9-5.3 6.2-5.3s5.9 2.1 6.2 5.3' +
    'M15.5 4.7a3.5 3.5 0 0 1 0 6.6M17.8 14.8c1.9.8 3.2 2.5 3.4 4.7',
  chat: 'M6 4.5h12a2.5 2.5 0 0 1 2.5 2.5v7a2.5 2.5 0 0 1-2.5 2.5h-6l-4.5 3.8v-3.8H6A2.5 2.5 0 0 1 3.5 14V7A2.5 2.5 0 0 1 6 4.5z',
  plus: 'M12 5.5v13M5.5 12h13',
  send: 'M12 19V5.5M6 11.2l6-6 6 6',
  link: 'M9.7 14.3l4.6-4.6M11 7l1.8-1.8a4.2 4.2 0 0 1 6 6L17 13M13 17l-1.8 1.8a4.2 4.2 0 0 1-6-6L7 11',
  trash: 'M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.9 12.5h9.2l.9-12.5M10.2 11v4.8M13.8 11v4.8',
  close: 'M6.5 6.5l11 11M17.5 6.5l-11 11',
  warning: 'M12 4.5L3 19.5h18zM12 10.5v4M12 17v.1',
  exit: 'M13.5 4.5h-7v15h7M10.5 12h10M17 8.5l3.5 3.5-3.5 3.5',
  pin: 'M9.5 4h5l-.8 6 3.3 3v1.5H7V13l3.3-3zM12 14.5V20.5',
  'sound-off': 'M4 10v4h3l4.5 3.5v-11L7 10zM15.5 9.5l5 5M20.5 9.5l-5 5',
  dash: 'M7 12h10',
  more: 'M5.5 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2zM12 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2zM18.5 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2z',
  pulse: 'M3 12.5h4l3-7.5 4.5 14 2.7-6.5H21',
  reply: 'M9.5 6.5L4 12l5.5 5.5M4.5 12H14a6 6 0 0 1 6 6v.5',
  edit: 'M5 19l.8-3.9L16.4 4.5l3.1 3.1L8.9 18.2zM14.2 6.7l3.1 3.1',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.2 15.2L20 20',
  lock: 'M6 11h12v8.5H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  settings: 'M4 7.5h8M17 7.5h3M14.5 5v5M4 16.5h3M12 16.5h8M9.5 14v5',
  down: 'M12 5.5V19M6 13l6 6 6-6',
  shield: 'M12 3.5l7 2.5v5.5c0 4.3-2.9 7.6-7 9-4.1-1.4-7-4.7-7-9V6z',
  hand:
    'M8 12.5V6.2a1.45 1.45 0 0 1 2.9 0V11M10.9 10.5V4.9a1.45 1.45 0 0 1 2.9 0V11M13.8 11V6.4a1.45 1.45 0 0 1 2.9 0v7.6' +
    'a6.4 6.4 0 0 1-6.4 6.5c-2.6 0-4.1-1.2-5.3-3.3l-1.9-3.5a1.45 1.45 0 0 1 2.4-1.6L8 14.6',
  check: 'M5 12.5l4.5 4.5L19 7.5',
};

/** @typedef {keyof typeof PATHS} IconName */

/**
 * @param {IconName} name
 * @returns {SVGSVGElement} hidden from screen readers: the control around it has words
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.dataset.icon = name;
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * Changes an icon in place.
 * @param {Element} parent of the icon
 * @param {IconName} name
 */
export function setIcon(parent, name) {
  const svg = /** @type {SVGSVGElement | null} */ (parent.querySelector('.icon'));
  if (svg && svg.dataset.icon !== name) {
    svg.dataset.icon = name;
    svg.firstElementChild?.setAttribute('d', PATHS[name]);
  }
}

/** Puts icons where the page's HTML asks for them with data-icon-name. */
export function fillIcons() {
  for (const element of document.querySelectorAll('[data-icon-name]')) {
    element.prepend(icon(/** @type {IconName} */ (element.getAttribute('data-icon-name'))));
  }
}
