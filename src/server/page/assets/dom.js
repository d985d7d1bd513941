// Small helpers for building the page. Text goes in as text: nothing here takes HTML.

const SVG = 'http://www.w3.org/2000/svg';

/** An element. props: class, text, data (an object), on (an object of listeners), or any attribute; null leaves one out. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'class') node.className = value;
    else if (name === 'text') node.textContent = value;
    else if (name === 'data') Object.assign(node.dataset, value);
    else if (name === 'on') for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Whether fingers do the pointing. */
export const onPhone = () => matchMedia('(pointer: coarse)').matches;

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const byId = (id) => document.getElementById(id);

// Strokes in a box of 24 by 24.
const ICONS = {
  plus: 'M12 5v14M5 12h14',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  up: 'M12 19V5M6 11l6-6 6 6',
  down: 'M12 5v14M6 13l6 6 6-6',
  stop: 'M7 7h10v10H7z',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  code: 'M9 7l-5 5 5 5M15 7l5 5-5 5',
  again: 'M20 12a8 8 0 1 1-2.500-5.800M20 4v4h-4',
  pencil: 'M4 20l1-4L16 5l3 3L8 19z',
  bin: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  save: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  check: 'M5 13l4 4L19 7',
  picture: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9h.01',
  camera: 'M4 8h4l2-3h4l2 3h4v11H4zM12 16.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7z',
  sliders: 'M4 8h9M19 8h1M4 16h1M11 16h9M16 8m-2.500 0a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0M8 16m-2.500 0a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500L19 19M5 19l1.500-1.500M17.500 6.500L19 5',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z',
};

/** A picture sign; the words beside it, or the button's label, say what it means. */
export function icon(name) {
  return svg('svg', {class: 'sign', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false'},
             svg('path', {d: ICONS[name]}));
}

/** A button with a sign; without words its label is read out instead. */
export function button(sign, words, listener, props = {}) {
  const {label, ...others} = props;
  return el('button', {type: 'button', 'aria-label': label, title: words ? null : label, on: {click: listener}, ...others},
            icon(sign), words ? el('span', {text: words}) : null);
}

/** Puts the signs into the buttons of the document that name one. */
export function drawIcons() {
  for (const node of document.querySelectorAll('[data-icon]')) {
    node.prepend(icon(node.dataset.icon));
    if (node.hasAttribute('aria-label')) node.title = node.getAttribute('aria-label');
  }
}

/** Changes the sign of a button. */
export function setIcon(node, name) {
  node.querySelector('.sign')?.replaceWith(icon(name));
}

/** Told to those who listen to the page, when they have a moment. */
export function announce(text) {
  const status = byId('status');
  status.textContent = '';
  requestAnimationFrame(() => { status.textContent = text; });
}

/** Buttons named "close" close their dialog, and so does a click beside it. */
export function wireDialogs() {
  for (const dialog of document.querySelectorAll('dialog')) {
    for (const node of dialog.querySelectorAll('button[value="close"]')) node.addEventListener('click', () => dialog.close());
    dialog.addEventListener('pointerdown', (event) => { if (event.target === dialog) dialog.close(); });
  }
}

const counts = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
/** 12,345 */
export const formatCount = (number) => counts.format(number);
/** "1 tile", "4 tiles" */
export const plural = (number, word) => `${formatCount(number)} ${word}${number === 1 ? '' : 's'}`;
/** Milliseconds for people: 0.4 ms, 42 ms, 1.31 s. */
export function formatTime(ms) {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  return ms < 99950 ? `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s` : `${Math.round(ms / 1000)} s`;
}

/** A name for what is kept: works without a secure context, too. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Copies text; true when that worked. Outside a secure context there is only the old way. */
export async function copyText(text, around = document.body) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el('textarea', {class: 'hidden', 'aria-hidden': 'true'});
    area.value = text;
    around.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    return copied;
  }
}

/** Gives the user a file. */
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = el('a', {href: url, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
