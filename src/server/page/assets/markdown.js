// Markdown as models write it, made into DOM nodes. In: text that nobody trusts. Out: nodes that hold it as text.
// HTML is never read, pictures are never loaded, links lead to http and https only and show where. Blocks: paragraphs,
// headings, lists, quotes, fenced code, tables, rules (CommonMark and GFM, the parts that models use). Inline text is
// in markdown_inline.js.

import {el} from './dom.js';
import {inline} from './markdown_inline.js';

const DEEPEST = 6;         // lists and quotes within each other; deeper ones are plain text
const LONGEST = 1 << 20;   // characters; more is shown as it is

// Each takes time in proportion to its line, whatever the line is.
const FENCE = /^( {0,3})(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]|$)/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:[ \t]+(.*)|)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;

const isBlank = (line) => line.trim() === '';
const indentOf = (line) => line.length - line.trimStart().length;
const startsBlock = (line) => FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
// A number in the middle of a paragraph begins a list only when it is 1: others are years and the like.
const breaksParagraph = (line) => startsBlock(line) && !(ITEM.test(line) && /^ *(?!1[.)])\d/.test(line));
const isOrdered = (mark) => mark.length > 1;
// What tells one list from the next: its bullet, or the sign behind its number.
const kindOf = (mark) => mark.at(-1);

/** Cells of a table's line: split at bars that are neither escaped nor within code. */
export function cellsOf(line) {
  const text = line.trim().replace(/^\|/, '');
  const cells = [];
  let cell = '';
  let code = false;
  for (let i = 0; i < text.length; ++i) {
    if (text[i] === '\\' && text[i + 1] === '|') {
      cell += '|';
      ++i;
    } else if (text[i] === '|' && !code) {
      cells.push(cell.trim());
      cell = '';
    } else {
      if (text[i] === '`') code = !code;
      cell += text[i];
    }
  }
  if (cell.trim()) cells.push(cell.trim());
  return cells;
}

// The alignments that a table's second line asks for; null when it is none.
function alignments(line) {
  if (line === undefined || !line.includes('-') || !/^[\s|:-]+$/.test(line)) return null;
  const cells = cellsOf(line);
  if (!cells.length || !cells.every((cell) => /^:?-+:?$/.test(cell))) return null;
  return cells.map((cell) => (cell.endsWith(':') ? (cell.startsWith(':') ? 'center' : 'end') : 'start'));
}

function isTable(lines, at) {
  if (!lines[at].includes('|')) return false;
  const columns = alignments(lines[at + 1]);
  return columns !== null && columns.length === cellsOf(lines[at]).length;
}

// Each taker returns the line behind its block.
function takeFence(lines, at) {
  const [, , fence] = FENCE.exec(lines[at]);
  let end = at + 1;
  while (end < lines.length && !(lines[end].trim().startsWith(fence) && /^(`+|~+)$/.test(lines[end].trim()))) ++end;
  return Math.min(end + 1, lines.length);
}

function takeItems(lines, at) {
  const kind = kindOf(ITEM.exec(lines[at])[2]);
  let end = at + 1;
  while (end < lines.length) {
    const line = lines[end];
    if (isBlank(line)) {
      let next = end + 1;
      while (next < lines.length && isBlank(lines[next])) ++next;
      const goesOn = next < lines.length && (indentOf(lines[next]) >= 2 || (ITEM.exec(lines[next]) && kindOf(ITEM.exec(lines[next])[2]) === kind));
      if (!goesOn) break;
      end = next;
      continue;
    }
    const item = ITEM.exec(line);
    if (item && item[1].length < 2 && kindOf(item[2]) !== kind) break;
    if (!item && indentOf(line) < 2 && startsBlock(line)) break;
    if (RULE.test(line) && indentOf(line) < 2) break;
    ++end;
  }
  return end;
}

function takeWhile(lines, at, holds) {
  let end = at + 1;
  while (end < lines.length && holds(lines[end], end)) ++end;
  return end;
}

/** Blocks of lines: [{kind, lines}]. */
function blocksOf(lines) {
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    if (isBlank(line)) {
      ++at;
      continue;
    }
    let kind = 'paragraph';
    let end;
    if (FENCE.test(line)) [kind, end] = ['fence', takeFence(lines, at)];
    else if (HEADING.test(line)) [kind, end] = ['heading', at + 1];
    else if (RULE.test(line)) [kind, end] = ['rule', at + 1];
    else if (QUOTE.test(line)) [kind, end] = ['quote', takeWhile(lines, at, (next) => QUOTE.test(next))];
    else if (ITEM.test(line)) [kind, end] = ['list', takeItems(lines, at)];
    else if (isTable(lines, at)) [kind, end] = ['table', takeWhile(lines, at + 1, (next) => next.includes('|'))];
    else end = takeWhile(lines, at, (next, i) => !isBlank(next) && !breaksParagraph(next) && !isTable(lines, i));
    blocks.push({kind, lines: lines.slice(at, end)});
    at = end;
  }
  return blocks;
}

// Without the signs that may close it.
function headingText(text) {
  const trimmed = text.trim();
  let end = trimmed.length;
  while (trimmed[end - 1] === '#') --end;
  return end === 0 || /\s/.test(trimmed[end - 1]) ? trimmed.slice(0, end).trimEnd() : trimmed;
}

function fence({lines}) {
  const [, indent, mark, info] = FENCE.exec(lines[0]);
  const closed = lines.length > 1 && lines.at(-1).trim().startsWith(mark) && /^(`+|~+)$/.test(lines.at(-1).trim());
  const body = lines.slice(1, closed ? -1 : undefined).map((line) => line.slice(Math.min(indent.length, indentOf(line))));
  const language = info.trim().split(/\s/)[0];
  return el('pre', {class: 'code', tabindex: '0', 'data-language': language || null}, el('code', {text: body.join('\n')}));
}

function table({lines}) {
  const align = alignments(lines[1]);
  const row = (line, tag) => {
    const cells = cellsOf(line);
    return el('tr', {}, ...align.map((side, i) =>
      el(tag, {class: `align-${side}`, scope: tag === 'th' ? 'col' : null}, ...inline(cells[i] ?? ''))));
  };
  return el('div', {class: 'table', tabindex: '0', role: 'group', 'aria-label': 'Table'},
            el('table', {}, el('thead', {}, row(lines[0], 'th')),
               el('tbody', {}, ...lines.slice(2).map((line) => row(line, 'td')))));
}

function list({lines}, depth) {
  const [, firstIndent, firstMark] = ITEM.exec(lines[0]);
  const items = [];
  let loose = false;
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && item[1].length < firstIndent.length + 2 && kindOf(item[2]) === kindOf(firstMark)) {
      if (items.length && items.at(-1).lines.at(-1) === '') loose = true;
      items.push({lines: [item[3] ?? ''], indent: item[1].length + item[2].length + 1});
    } else {
      const {lines: own, indent} = items.at(-1);
      own.push(isBlank(line) ? '' : line.slice(Math.min(indent, indentOf(line))));
    }
  }
  const ordered = isOrdered(firstMark);
  const start = ordered ? Number.parseInt(firstMark, 10) : 1;
  return el(ordered ? 'ol' : 'ul', {start: ordered && start !== 1 ? String(start) : null}, ...items.map((item) => {
    const nodes = nodesOf(item.lines, depth + 1);
    if (!loose && nodes[0]?.tagName === 'P') nodes.splice(0, 1, ...nodes[0].childNodes);
    return el('li', {}, ...nodes);
  }));
}

function nodeOf(block, depth) {
  const {kind, lines} = block;
  if (kind === 'fence') return fence(block);
  if (kind === 'rule') return el('hr');
  if (kind === 'table') return table(block);
  if (kind === 'heading') {
    const [head, marks] = HEADING.exec(lines[0]);
    // The page's own headings go down to h2; an answer's begin below.
    return el(`h${Math.min(6, marks.length + 2)}`, {class: `level-${marks.length}`}, ...inline(headingText(lines[0].slice(head.length))));
  }
  if (depth < DEEPEST && kind === 'list') return list(block, depth);
  if (depth < DEEPEST && kind === 'quote') {
    return el('blockquote', {}, ...nodesOf(lines.map((line) => QUOTE.exec(line)[1]), depth + 1));
  }
  return el('p', {}, ...inline(lines.map((line) => line.trimStart()).join('\n')));
}

function nodesOf(lines, depth) {
  return blocksOf(lines).map((block) => nodeOf(block, depth));
}

const linesOf = (text) => text.replace(/\r\n?/g, '\n').replace(/\t/g, '    ').split('\n');

/** The nodes of a whole text. */
export function render(text) {
  return text.length > LONGEST ? [el('pre', {text})] : nodesOf(linesOf(text), 0);
}

/** Shows text that grows: only blocks that changed are made anew. */
export class MarkdownView {
  constructor(root) {
    this.root = root;
    this.sources = [];
  }

  show(text) {
    if (text.length > LONGEST) {
      this.sources = [];
      this.root.replaceChildren(...render(text));
      return;
    }
    const blocks = blocksOf(linesOf(text));
    const sources = blocks.map(({kind, lines}) => `${kind}\n${lines.join('\n')}`);
    let same = 0;
    while (same < sources.length && sources[same] === this.sources[same]) ++same;
    while (this.root.childNodes.length > same) this.root.lastChild.remove();
    this.root.append(...blocks.slice(same).map((block) => nodeOf(block, 0)));
    this.sources = sources;
  }
}
