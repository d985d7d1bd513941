// The inline half of Markdown: code, bold, italic, struck text, links, escapes. In: text that nobody trusts. Out: DOM
// nodes. One pass; a sign that has no end is looked for once, so that hostile text costs no more than other text.

import {el} from './dom.js';

const DEEPEST = 8;            // emphasis within emphasis
const LONGEST = 50000;        // characters of one paragraph that are looked at for signs
const LONGEST_ADDRESS = 2048;
const ESCAPED = /[!-/:-@[-`{-~]/;
const BARE = /https?:\/\/[^\s<>"'`]{1,2048}/y;
const TRAILING = '.,;:!?*_~)]}';
const WORD = /[\p{L}\p{N}_]/u;

/** The address in its full form when it may be linked to, else null: http and https, without name and password. */
export function safeAddress(text) {
  if (text.length > LONGEST_ADDRESS || !/^https?:\/\//i.test(text) || /[\u0000-\u0020\u007f\\]/.test(text)) return null;
  try {
    const address = new URL(text);
    return address.username || address.password ? null : address.href;
  } catch {
    return null;
  }
}

function link(address, nodes, text) {
  const anchor = el('a', {href: address, target: '_blank', rel: 'noopener noreferrer nofollow'}, ...nodes);
  const shown = text.trim();
  if (shown === address || `${shown}/` === address) return [anchor];
  return [anchor, el('span', {class: 'address', text: ` (${address})`})];
}

class Inline {
  constructor(text, depth, linked) {
    this.text = text;
    this.depth = depth;
    this.linked = linked;      // within a link there is no other
    this.nodes = [];
    this.plain = '';
    this.ends = new Map();     // sign -> where it comes next; -1: not any more
  }

  flush() {
    if (this.plain) this.nodes.push(document.createTextNode(this.plain));
    this.plain = '';
  }

  add(...nodes) {
    this.flush();
    this.nodes.push(...nodes);
  }

  // Where sign comes next at or behind from, and holds; -1 when never. What holds depends on the place alone.
  find(sign, from, holds = () => true) {
    const known = this.ends.get(sign);
    if (known === -1 || known >= from) return known;
    let at = this.text.indexOf(sign, from);
    while (at >= 0 && !holds(at)) at = this.text.indexOf(sign, at + 1);
    this.ends.set(sign, at);
    return at;
  }

  inner(text, linked = this.linked) {
    return this.depth < DEEPEST ? new Inline(text, this.depth + 1, linked).run() : [document.createTextNode(text)];
  }

  // Each of these returns the place behind what it took, or 0 when there is nothing of its kind.
  code(at) {
    const marks = /`+/y;
    marks.lastIndex = at;
    const [mark] = marks.exec(this.text);
    const alone = (end) => this.text[end - 1] !== '`' && this.text[end + mark.length] !== '`';
    const end = this.find(mark, at + mark.length, alone);
    if (end < 0) {
      this.plain += mark;
      return at + mark.length;
    }
    let body = this.text.slice(at + mark.length, end).replace(/\n/g, ' ');
    if (body.startsWith(' ') && body.endsWith(' ') && body.trim()) body = body.slice(1, -1);
    this.add(el('code', {text: body}));
    return end + mark.length;
  }

  emphasis(at) {
    const {text} = this;
    const sign = text[at];
    const mark = text[at + 1] === sign ? sign + sign : sign;
    if (sign === '~' && mark.length === 1) return 0;
    const begin = at + mark.length;
    if (begin >= text.length || /\s/.test(text[begin]) || (sign === '_' && at > 0 && WORD.test(text[at - 1]))) return 0;
    const end = this.find(mark, begin + 1, (place) => {
      if (/\s/.test(text[place - 1]) || text[place - 1] === '\\') return false;
      if (mark.length === 1 && (text[place + 1] === sign || text[place - 1] === sign)) return false;
      if (mark.length === 2 && text[place + 2] === sign) return false;
      return sign !== '_' || !WORD.test(text[place + mark.length] ?? ' ');
    });
    if (end < 0) return 0;
    const tag = sign === '~' ? 'del' : mark.length === 2 ? 'strong' : 'em';
    this.add(el(tag, {}, ...this.inner(text.slice(begin, end))));
    return end + mark.length;
  }

  // [text](address): when it may not be followed, it stays as it was written.
  link(at) {
    const middle = this.find('](', at + 1);
    if (middle < 0 || middle - at > LONGEST_ADDRESS) return 0;
    const end = this.find(')', middle + 2);
    if (end < 0 || end - middle > LONGEST_ADDRESS) return 0;
    const text = this.text.slice(at + 1, middle);
    if (text.includes('[') || text.includes('\n\n')) return 0;
    let target = this.text.slice(middle + 2, end).trim();
    target = target.replace(/[ \t]+"[^"]*"$/, '').replace(/^<(.*)>$/, '$1');
    const address = safeAddress(target);
    if (!address || !text.trim()) return 0;
    this.add(...link(address, this.inner(text, true), text));
    return end + 1;
  }

  bare(at) {
    BARE.lastIndex = at;
    const found = BARE.exec(this.text);
    if (!found || (at > 0 && WORD.test(this.text[at - 1]))) return 0;
    let end = found[0].length;
    while (TRAILING.includes(found[0][end - 1])) --end;
    const text = found[0].slice(0, end);
    const address = safeAddress(text);
    if (!address) return 0;
    this.add(...link(address, [document.createTextNode(text)], text));
    return at + text.length;
  }

  take(at) {
    const sign = this.text[at];
    if (sign === '`') return this.code(at);
    if (sign === '*' || sign === '_' || sign === '~') return this.emphasis(at);
    if (sign === '[' && !this.linked) return this.link(at);
    if (sign === 'h' && !this.linked) return this.bare(at);
    if (sign === '\\' && ESCAPED.test(this.text[at + 1] ?? '')) {
      this.plain += this.text[at + 1];
      return at + 2;
    }
    if (sign === '\\' && this.text[at + 1] === '\n') return this.lineBreak(at + 2);
    if (sign === ' ' && this.text.startsWith('  \n', at)) return this.lineBreak(at + 3);
    return 0;
  }

  lineBreak(behind) {
    this.add(el('br'));
    return behind;
  }

  run() {
    const length = Math.min(this.text.length, LONGEST);
    for (let at = 0; at < length;) {
      const behind = this.take(at);
      if (!behind) this.plain += this.text[at];
      at = behind || at + 1;
      this.at = at;
    }
    this.plain += this.text.slice(Math.max(this.at ?? 0, length));
    this.flush();
    return this.nodes;
  }
}

/** The nodes of a line or paragraph. */
export function inline(text) {
  return new Inline(text, 0, false).run();
}
