/**
 * The connection panel: how voice goes and how well, now and in the last minutes.
 * @module
 */

import { phrases } from '../language.js';
import { INTERVAL_MS, KEPT_MS } from '../meter.js';
import { TOPICS, rangeOf, reportOf } from '../report.js';
import { FIGURE_WORDS, codecWords, figureWords, rangeWords, signallingWords, wayWords } from '../words/figures.js';
import { byId, copy, h, setAttribute, setText } from './dom.js';
import { drawGraph, makeGraph } from './graph.js';

/** How long the copy button says that it worked, in milliseconds. */
const COPIED_MS = 2_000;
/** How far apart samples may be that a line joins. */
const GAP_MS = 2 * INTERVAL_MS;

/** What is said at the top. */
const FACTS = /** @type {const} */ (['way', 'server', 'codec', 'signalling']);

/**
 * @param {typeof TOPICS[number]} topic
 * @returns {(samples: import('../figures.js').Sample[], now: number) => void} draws what was measured
 */
function mountTopic({ topic, unit, edge, figures }) {
  const graph = makeGraph(figures.length);
  const upper = h('span', { class: 'figures__edge', 'aria-hidden': 'true' });
  const rows = figures.map(([name, term], i) => ({
    name,
    value: h('dd', { class: 'figures__value' }),
    range: h('dd', { class: 'figures__range' }),
    label: h('dt', { class: `figures__name figures__name--${i + 1}` }, FIGURE_WORDS[name], ' ', h('code', {}, term)),
  }));
  byId('panel-figures').append(
    h('section', { class: 'figures__topic', 'data-topic': topic },
      h('h3', {}, phrases.figures[topic]),
      h('div', { class: 'figures__graph' }, graph, upper),
      h('dl', { class: 'figures__rows' }, ...rows.flatMap(({ label, value, range }) => [label, value, range]))),
  );
  return (samples, now) => {
    const last = samples.at(-1);
    for (const { name, value, range } of rows) {
      const figure = last ? last[name] : undefined;
      setText(value, figureWords(figure, unit));
      setAttribute(value, 'title', figure === null ? phrases.figures.notToldWhy : null);
      setText(range, rangeWords(rangeOf(samples, name)));
    }
    const most = Math.max(edge, ...rows.map(({ name }) => rangeOf(samples, name)?.most ?? 0));
    setText(upper, `${Math.ceil(most)} ${unit}`);
    const series = figures.map(([name]) => samples.map((sample) => /** @type {[number, import('../figures.js').Figure]} */ ([sample.at, sample[name]])));
    drawGraph(graph, series, { from: now - KEPT_MS, to: now, most: Math.ceil(most), gap: GAP_MS });
  };
}

/**
 * @param {import('../session.js').Session} session
 * @param {HTMLElement} opener opens it, and says how voice is
 * @param {() => void} check opens the connection check
 * @returns {() => void} opens it
 */
export function mountPanel(session, opener, check) {
  const { call, client } = session;
  const { meter } = call.media;
  const dialog = /** @type {HTMLDialogElement} */ (byId('panel-dialog'));
  const copier = byId('panel-copy');
  const topics = TOPICS.map(mountTopic);
  const facts = FACTS.map((fact) => {
    const value = h('dd', {});
    byId('panel-facts').append(h('dt', {}, phrases.figures[fact]), value);
    return { fact, value };
  });

  const render = () => {
    if (!dialog.open) {
      return;
    }
    if (!call.room) {
      dialog.close(); // there is nothing to tell of any more
      return;
    }
    setText(byId('panel-text'), opener.textContent ?? '');
    byId('panel-verdict').dataset.tone = opener.dataset.tone;
    /** @type {Record<typeof FACTS[number], string>} */
    const said = {
      way: wayWords(meter.facts),
      server: meter.facts?.server || phrases.figures.nothing,
      codec: codecWords(meter.facts, /^a=rtpmap:\d+ red\//m.test(call.media.answer)),
      signalling: signallingWords(client.rttMs),
    };
    for (const { fact, value } of facts) {
      setText(value, said[fact]);
    }
    const now = performance.now();
    const samples = meter.samples.filter(({ at }) => now - at < KEPT_MS);
    topics.forEach((draw) => draw(samples, now));
  };

  meter.addEventListener('quality', render);
  session.addEventListener('change', render);
  byId('panel-close').addEventListener('click', () => dialog.close());
  byId('panel-check').addEventListener('click', () => {
    dialog.close();
    check();
  });
  copier.addEventListener('click', async () => {
    const report = reportOf(session);
    if (await copy(report)) {
      setText(copier, phrases.room.copied);
      setTimeout(() => setText(copier, phrases.checkup.copyReport), COPIED_MS);
    } else {
      window.prompt(phrases.common.copyThis, report);
    }
  });

  return () => {
    dialog.showModal();
    render();
    byId('panel-close').focus({ preventScroll: true });
  };
}
