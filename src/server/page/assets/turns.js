// The conversation as it is read: questions with their pictures, answers as they grow.

import {announce, button, copyText, el, plural, setIcon} from './dom.js';
import {figuresOf} from './figures.js';
import {gridWords, pictureFrame} from './grid.js';
import {MarkdownView} from './markdown.js';
import {keptPicture} from './pictures.js';
import {phaseWords, problemOf} from './problems.js';
import {saveSettings, settings} from './settings.js';

const LONGEST_ANNOUNCEMENT = 600;
// Pixels for a picture, alone or beside others.
const ONE = {width: 480, height: 280};
const SEVERAL = {width: 270, height: 190};

// Text that is no prose: an answer by a schema, or the markup of a page.
function isCode(message) {
  return Boolean(message.asked?.options?.response_format) || /^\s*<doctag>/.test(message.text);
}

function codeOf(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

class Question {
  constructor(message, number, actions) {
    this.frames = [];
    this.images = message.images ?? [];
    this.box = message.pictures.length > 1 ? SEVERAL : ONE;
    const pictures = el('div', {class: 'pictures', hidden: message.pictures.length === 0});
    message.pictures.forEach((id, i) => this.addPicture(pictures, id, i, actions));
    this.bar = el('div', {class: 'actions'});
    this.root = el('article', {class: 'turn question'}, el('h2', {class: 'hidden', text: `Question ${number}`}), pictures,
                   message.text ? el('p', {class: 'asked', text: message.text}) : null, this.bar);
  }

  addPicture(place, id, i, actions) {
    const words = el('figcaption', {class: 'quiet'});
    const open = el('button', {type: 'button', class: 'picture'});
    const figure = el('figure', {}, open, words);
    place.append(figure);
    keptPicture(id).then((picture) => {
      if (!picture) {
        words.textContent = 'This picture is gone from the browser.';
        open.remove();
        return;
      }
      const frame = pictureFrame(picture, this.box, this.images[i] ?? null);
      open.append(frame.root);
      open.setAttribute('aria-label', `${picture.name}, larger`);
      open.addEventListener('click', () => actions.view(picture, this.images[i] ?? null));
      this.frames[i] = {frame, words};
      this.showImages();
    });
  }

  showImages() {
    this.frames.forEach(({frame, words}, i) => {
      const image = this.images[i] ?? null;
      if (frame.image !== image) frame.setImage(image);
      words.textContent = image ? gridWords(image) : '';
      frame.setSeen(this.seen?.[i] ?? null);
    });
  }

  setImages(images) {
    this.images = images;
    this.showImages();
  }

  // left: tiles of the whole request that are still to be read; this question's are the last of them. null: none.
  setLeft(left) {
    if (left === null) this.seen = null;
    else {
      const total = this.images.reduce((sum, {tiles}) => sum + tiles, 0);
      let done = Math.max(0, total - left);
      this.seen = this.images.map(({tiles}) => {
        const own = Math.min(done, tiles);
        done -= own;
        return own;
      });
    }
    this.showImages();
  }
}

class Answer {
  constructor(message, number, actions) {
    this.message = message;
    this.actions = actions;
    this.state = el('p', {class: 'state quiet'});
    this.meter = el('progress', {class: 'meter', hidden: true, 'aria-label': 'Tiles read'});
    this.text = el('div', {class: 'text'});
    this.notes = el('div', {class: 'notes'});
    this.bar = el('div', {class: 'actions'});
    this.root = el('article', {class: 'turn answer'}, el('h2', {class: 'hidden', text: `Answer ${number}`}), this.state, this.meter,
                   this.text, this.notes, this.bar);
    this.view = new MarkdownView(this.text);
    this.drawn = '';
  }

  showText() {
    const {message} = this;
    if (this.drawn === message.text) return;
    this.drawn = message.text;
    if (isCode(message)) this.text.replaceChildren(el('pre', {class: 'code', tabindex: '0'}, el('code', {text: codeOf(message.text.trim())})));
    else this.view.show(message.text.trimStart());
  }

  grow(phase) {
    this.root.setAttribute('aria-busy', 'true');
    this.root.classList.toggle('writing', phase.kind === 'writing');
    this.state.textContent = phaseWords(phase);
    this.state.hidden = phase.kind === 'writing';
    const reading = phase.kind === 'reading' && phase.tiles_done < phase.tiles_total;
    this.meter.hidden = !reading;
    if (reading) {
      this.meter.max = phase.tiles_total;
      this.meter.value = phase.tiles_done;
    }
    this.showText();
  }

  finish(last) {
    const {message, actions} = this;
    this.root.removeAttribute('aria-busy');
    this.root.classList.remove('writing');
    this.state.hidden = true;
    this.meter.hidden = true;
    this.showText();
    this.notes.replaceChildren(...this.noteNodes(last));
    this.root.querySelector('.figures')?.remove();
    if (message.figures) {
      this.notes.after(figuresOf(message.figures, settings.figures, (open) => saveSettings({figures: open})));
    }
    const again = last && message.state !== 'error';
    this.bar.replaceChildren(...[
      message.text ? this.copyButton() : null,
      again ? button('again', null, () => actions.again(), {class: 'icon', label: 'Answer again'}) : null,
      button('code', null, () => actions.program(message), {class: 'icon', label: 'Copy as curl or Python'}),
    ].filter(Boolean));
  }

  copyButton() {
    const node = button('copy', null, async () => {
      const copied = await copyText(this.message.text.trim());
      announce(copied ? 'Copied' : 'The browser does not allow copying');
      if (!copied) return;
      setIcon(node, 'check');
      setTimeout(() => setIcon(node, 'copy'), 1500);
    }, {class: 'icon', label: 'Copy the answer'});
    return node;
  }

  noteNodes(last) {
    const {message} = this;
    if (message.state === 'error') return [this.problem(problemOf(message.error), last)];
    const note = (text) => [el('p', {class: 'note quiet', text})];
    if (message.state === 'stopped') return note('Stopped.');
    if (message.state === 'streaming') return note('Broken off when the page was closed.');
    if (message.finish === 'length') {
      const most = message.asked?.options?.max_tokens;
      return note(most && message.figures?.usage.completion_tokens >= most
        ? `Cut off at ${plural(most, 'token')}, the most that the settings allow.` : 'Cut off: no room is left in the model’s context.');
    }
    return message.text.trim() ? [] : note('The model had nothing to say.');
  }

  problem({title, text, action}, last) {
    const node = el('div', {class: 'problem', role: 'alert'}, el('strong', {text: title}), el('p', {text}));
    const offers = {
      retry: ['Ask again', () => this.actions.again()],
      key: ['Enter the key', () => this.actions.key(text)],
      new: ['New conversation', () => this.actions.fresh()],
    };
    if (last && action) node.append(el('button', {type: 'button', text: offers[action][0], on: {click: offers[action][1]}}));
    return node;
  }
}

/** actions: view(picture, image), again(), edit(), program(message), key(text), fresh(). */
export class Turns {
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.views = [];
  }

  /** Draws a conversation; run: the answer of it that is still growing, or null. */
  show(conversation, run) {
    this.views = conversation.messages.map((message, i) => {
      const number = Math.floor(i / 2) + 1;
      return message.role === 'user' ? new Question(message, number, this.actions) : new Answer(message, number, this.actions);
    });
    this.root.replaceChildren(...this.views.map((view) => view.root));
    this.views.forEach((view, i) => {
      const last = i === this.views.length - 1;
      if (view instanceof Answer && view.message !== run?.message) view.finish(last);
      const question = view instanceof Question && i === this.views.length - 2;
      if (question && !run) this.offerEdit(view);
    });
    if (run) this.grow(run);
  }

  offerEdit(view) {
    view.bar.replaceChildren(button('pencil', null, () => this.actions.edit(), {class: 'icon', label: 'Change the question'}));
  }

  get lastQuestion() {
    return this.views.at(-2);
  }

  /** There is more of the last answer. */
  grow(run) {
    const {phase} = run;
    this.views.at(-1).grow(phase);
    const left = phase.kind === 'reading' ? phase.tiles_total - phase.tiles_done : phase.kind === 'writing' ? null : Infinity;
    this.lastQuestion.setLeft(left);
  }

  /** The grids of the last question are known. */
  setImages(images) {
    this.lastQuestion?.setImages(images);
  }

  /** The last answer is over. */
  finish(run) {
    const {message} = run;
    this.views.at(-1).finish(true);
    this.lastQuestion.setLeft(null);
    this.offerEdit(this.lastQuestion);
    if (message.state === 'error') return;  // an alert says it
    const text = message.text.trim();
    const spoken = text.length > LONGEST_ANNOUNCEMENT ? `${text.slice(0, LONGEST_ANNOUNCEMENT)} … The rest is in the conversation.` : text;
    announce(message.state === 'stopped' ? 'Stopped' : `Answer: ${spoken}`);
  }
}
