// Where a question is made: its text and pictures, what they will cost, the buttons.

import {announce, button, byId, el, formatCount, formatTime, onPhone, plural} from './dom.js';
import {gridWords, pictureFrame} from './grid.js';
import {pictureOf} from './pictures.js';

const BOX = {width: 112, height: 64};  // pixels for a picture of the question

/** handlers: ask({text, pictures}), stop(), changed(what), editLast(), cancelEdit(), say(text). */
export class Composer {
  constructor(handlers) {
    this.handlers = handlers;
    this.pictures = [];
    this.frames = [];
    this.running = false;
    this.text = byId('question');
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.ask();
    });
    byId('stop').addEventListener('click', () => handlers.stop());
    byId('cancel-edit').addEventListener('click', () => handlers.cancelEdit());
    byId('choose').addEventListener('click', () => byId('files').click());
    byId('files').addEventListener('change', ({target}) => {
      this.add([...target.files]);
      target.value = '';
    });
    this.text.addEventListener('input', () => {
      this.fit();
      handlers.changed('text');
    });
    this.text.addEventListener('keydown', (event) => this.key(event));
  }

  key(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && !onPhone()) {
      event.preventDefault();
      this.ask();
    } else if (event.key === 'ArrowUp' && !this.text.value && !this.pictures.length) {
      this.handlers.editLast();
    }
  }

  ask() {
    const text = this.text.value.trim();
    if (this.running || (!text && !this.pictures.length)) return;
    if (onPhone()) this.text.blur();  // its keyboard lies over the answer
    this.handlers.ask({text, pictures: this.pictures});
  }

  /** Files that are pictures are added, the others are named. */
  async add(files) {
    const opened = await Promise.all(files.map((file) => pictureOf(file)));
    const refused = files.filter((_, i) => !opened[i]).map((file) => file.name || 'what was pasted');
    this.handlers.say(refused.length ? `No picture: ${refused.join(', ')}. JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF and BMP are read.` : '');
    const taken = opened.filter(Boolean);
    if (!taken.length) return;
    this.pictures = [...this.pictures, ...taken];
    this.draw();
    this.handlers.changed('pictures');
    announce(`${plural(taken.length, 'picture')} added`);
    if (!onPhone()) this.text.focus();
  }

  remove(picture) {
    const at = this.pictures.indexOf(picture);
    this.pictures = this.pictures.filter((other) => other !== picture);
    this.draw();
    this.handlers.changed('pictures');
    announce(`${picture.name} removed`);
    (byId('chosen').querySelectorAll('button')[Math.min(at, this.pictures.length - 1)] ?? this.text).focus();
  }

  draw() {
    const list = byId('chosen');
    this.frames = this.pictures.map((picture) => ({frame: pictureFrame(picture, BOX), words: el('span', {class: 'quiet'})}));
    list.replaceChildren(...this.pictures.map((picture, i) => el('li', {}, this.frames[i].frame.root,
      el('span', {class: 'about'}, el('span', {class: 'name', text: picture.name}), this.frames[i].words),
      button('close', null, () => this.remove(picture), {class: 'icon', label: `Remove ${picture.name}`}))));
    list.hidden = !this.pictures.length;
  }

  fit() {
    this.text.style.height = 'auto';
    this.text.style.height = `${this.text.scrollHeight}px`;
  }

  /** What is in it from now on; what was is let go. */
  load({text, pictures}, editing) {
    this.text.value = text;
    this.pictures = pictures;
    byId('editing').hidden = !editing;
    this.draw();
    this.fit();
    this.handlers.changed('pictures');
  }

  clear() {
    this.load({text: '', pictures: []}, false);
  }

  setRunning(running) {
    const hadFocus = document.activeElement === byId('stop') || document.activeElement === byId('send');
    this.running = running;
    byId('send').hidden = running;
    byId('stop').hidden = !running;
    if (hadFocus) (onPhone() ? byId(running ? 'stop' : 'send') : this.text).focus();
  }

  /** cost: what the server counted for the request as it stands, or null; context: tokens that the model can read. */
  setCost(cost, context) {
    const images = cost?.images?.slice(-this.pictures.length || Infinity) ?? [];
    this.frames.forEach(({frame, words}, i) => {
      frame.setImage(images[i] ?? null);
      words.textContent = images[i] ? gridWords(images[i]) : '';
    });
    const line = byId('cost');
    line.textContent = '';
    if (!cost) return;
    const parts = [`${formatCount(cost.input_tokens)}${context ? ` of ${formatCount(context)}` : ''} tokens`];
    if (cost.predicted_ms) parts.push(`about ${formatTime(cost.predicted_ms)} to read`);
    const over = Boolean(context) && cost.input_tokens >= context;
    line.textContent = over ? `Too long: ${parts[0]}` : parts.join(' · ');
    line.classList.toggle('over', over);
  }
}
