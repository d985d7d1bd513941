// Where the time of an answer went, and its tokens. In: what the server sent with the last chunk. Out: a drawing that is
// a table, too.

import {el, formatCount, formatTime, plural} from './dom.js';

// In the order in which they happen. The connector's rows go into the prompt, whose last row gives the first token.
const STAGES = [
  ['queue_ms', 'Queue'],
  ['decode_image_ms', 'Decode picture'],
  ['preprocess_ms', 'Preprocess'],
  ['vision_ms', 'Vision tower'],
  ['connector_ms', 'Connector'],
  ['prefill_ms', 'Prompt'],
  ['decode_ms', 'Answer'],
];

function bar(start, length) {
  const fill = el('span', {class: 'fill'});
  fill.style.marginInlineStart = `${(start * 100).toFixed(2)}%`;
  fill.style.inlineSize = `${(length * 100).toFixed(2)}%`;
  return el('span', {class: 'track', 'aria-hidden': 'true'}, fill);
}

/** The stages that took time, as bars one behind the other. */
export function stageBars(timings) {
  const stages = STAGES.filter(([name]) => timings[name] > 0.005);
  const total = stages.reduce((sum, [name]) => sum + timings[name], 0);
  let start = 0;
  const rows = stages.map(([name, words]) => {
    const share = timings[name] / total;
    const row = el('tr', {data: {stage: name}}, el('th', {scope: 'row', text: words}), el('td', {class: 'bars'}, bar(start, share)),
                   el('td', {class: 'amount', text: formatTime(timings[name])}));
    start += share;
    return row;
  });
  return el('table', {class: 'stages'}, el('caption', {class: 'hidden', text: 'Time of each stage'}),
            el('thead', {class: 'hidden'}, el('tr', {}, el('th', {scope: 'col', text: 'Stage'}), el('td'), el('th', {scope: 'col', text: 'Time'}))),
            el('tbody', {}, ...rows));
}

/** One line of the most telling figures. */
export function summaryOf({usage, timings}) {
  const parts = [];
  if (timings?.first_token_ms > 0) parts.push(`first token ${formatTime(timings.first_token_ms)}`);
  const speed = timings?.tokens_per_second ?? 0;
  if (speed > 0) parts.push(`${speed < 10 ? speed.toFixed(1) : formatCount(speed)} tokens/s`);
  parts.push(plural(usage.completion_tokens, 'token'));
  return parts.join(' · ');
}

function fact(words, amount, note = '') {
  return el('div', {}, el('dt', {text: words}), el('dd', {text: formatCount(amount)}), note ? el('dd', {class: 'quiet', text: note}) : null);
}

function cacheWords(cache) {
  const known = cache.memory_hits + cache.directory_hits;
  const parts = [];
  if (known) parts.push(`${formatCount(known)} remembered`);
  if (cache.misses) parts.push(`${formatCount(cache.misses)} encoded: ${plural(cache.tiles_encoded, 'tile')}`);
  if (cache.tiles_repeated) parts.push(`${plural(cache.tiles_repeated, 'tile')} repeated`);
  return parts.join(', ');
}

/** All figures of an answer; opened(open) is called when the reader opens or closes them. */
export function figuresOf(figures, open, opened) {
  const {usage, timings, images, cache} = figures;
  const details = usage.prompt_tokens_details ?? {};
  const cached = details.cached_tokens ?? 0;
  const list = el('dl', {class: 'facts'},
    fact('Prompt tokens', usage.prompt_tokens, details.image_tokens ? `${formatCount(details.image_tokens)} of pictures` : ''),
    fact('From the cache', cached, usage.prompt_tokens ? `${Math.round(100 * cached / usage.prompt_tokens)} % of the prompt` : ''),
    fact('Answer tokens', usage.completion_tokens),
    images?.length ? fact('Pictures', images.length, cache ? cacheWords(cache) : '') : null);
  const node = el('details', {class: 'figures', open}, el('summary', {text: summaryOf(figures)}),
                  timings ? stageBars(timings) : null, list);
  node.addEventListener('toggle', () => opened(node.open));
  return node;
}
