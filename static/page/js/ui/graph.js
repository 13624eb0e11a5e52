/**
 * A small graph of figures over time, drawn as SVG in the colours of the page. What it shows has to stand in words beside it.
 * @module
 */

import { setAttribute } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';
/** Its own units; it is as large as its place is. */
const WIDTH = 300;
const HEIGHT = 60;

/**
 * @param {number} series how many lines it has
 * @returns {SVGSVGElement}
 */
export function makeGraph(series) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'graph');
  svg.setAttribute('aria-hidden', 'true');
  for (let i = 0; i < series; i++) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', `graph__line graph__line--${i + 1}`);
    svg.prepend(path); // the first lies above the others
  }
  return svg;
}

/**
 * @typedef {object} Axes
 * @property {number} from the time at its left, and `to` that at its right
 * @property {number} to
 * @property {number} most what its upper edge stands for
 * @property {number} gap between two points so far apart nothing is known
 */

/**
 * @param {SVGSVGElement} svg
 * @param {[number, import('../figures.js').Figure][][]} series of each line its points, times and figures
 * @param {Axes} axes
 */
export function drawGraph(svg, series, { from, to, most, gap }) {
  series.forEach((points, i) => {
    let last = -Infinity;
    const d = points.map(([at, value]) => {
      if (typeof value !== 'number') {
        last = -Infinity;
        return '';
      }
      const x = ((at - from) / (to - from)) * WIDTH;
      const y = HEIGHT - 1 - (Math.min(value, most) / most) * (HEIGHT - 2);
      const joins = at - last <= gap;
      last = at;
      // A point alone is a line of no length, which its round ends show.
      return joins ? `L${x.toFixed(1)} ${y.toFixed(1)}` : `M${x.toFixed(1)} ${y.toFixed(1)}h0`;
    });
    setAttribute(svg.children[series.length - 1 - i], 'd', d.join(''));
  });
}
