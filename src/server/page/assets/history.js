// The list of conversations, and the dialog that renames, exports and deletes one.

import {announce, byId, button, download, el} from './dom.js';
import {dataAddress, keptPicture} from './pictures.js';
import {getConversation, listConversations, persistent} from './store.js';

const DAY = 24 * 60 * 60 * 1000;

function dayWords(time) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (time >= midnight) return 'Today';
  if (time >= midnight - DAY) return 'Yesterday';
  return time >= midnight - 6 * DAY ? 'This week' : 'Earlier';
}

const fileName = (title, ending) => `${title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').slice(0, 60) || 'conversation'}.${ending}`;

/** The conversation with its pictures as data addresses. */
async function exportJson(conversation) {
  const ids = conversation.messages.flatMap(({pictures = []}) => pictures);
  const pictures = {};
  for (const id of ids) {
    const picture = await keptPicture(id);
    if (picture) pictures[id] = {name: picture.name, type: picture.type, width: picture.width, height: picture.height, data: await dataAddress(picture)};
  }
  const text = JSON.stringify({format: 'galago conversation 1', ...conversation, pictures}, null, 2);
  download(fileName(conversation.title, 'json'), new Blob([text], {type: 'application/json'}));
}

async function exportMarkdown(conversation) {
  const parts = [`# ${conversation.title}`];
  for (const message of conversation.messages) {
    if (message.role === 'assistant') {
      parts.push(message.text.trim());
      continue;
    }
    const names = await Promise.all(message.pictures.map(async (id) => (await keptPicture(id))?.name ?? 'a picture that is gone'));
    const question = [...names.map((name) => `[picture: ${name}]`), ...(message.text ? message.text.split('\n') : [])];
    parts.push(question.map((line) => `> ${line}`).join('\n'));
  }
  download(fileName(conversation.title, 'md'), new Blob([`${parts.join('\n\n')}\n`], {type: 'text/markdown'}));
}

/** handlers: open(id), rename(id, title), remove(id). */
export class History {
  constructor(handlers) {
    this.handlers = handlers;
    this.list = byId('conversations');
    this.dialog = byId('conversation');
    this.form = byId('conversation-form');
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      const title = this.form.elements.name.value.trim();
      if (title && title !== this.edited.title) handlers.rename(this.edited.id, title);
      this.dialog.close();
    });
    byId('export-json').addEventListener('click', () => exportJson(this.edited));
    byId('export-markdown').addEventListener('click', () => exportMarkdown(this.edited));
    byId('delete').addEventListener('click', () => this.confirmRemoval());
    byId('side-note').textContent = persistent() ? 'Conversations stay in this browser.'
      : 'This browser keeps nothing: conversations end with the page.';
  }

  async draw(current) {
    const all = await listConversations();
    const nodes = [];
    let day = '';
    for (const conversation of all) {
      if (dayWords(conversation.updated) !== day) {
        day = dayWords(conversation.updated);
        nodes.push(el('li', {class: 'day'}, el('h2', {text: day})));
      }
      const chosen = conversation.id === current;
      nodes.push(el('li', {class: 'one'},
        el('button', {type: 'button', class: 'open', 'aria-current': chosen ? 'page' : null, text: conversation.title,
                      on: {click: () => this.handlers.open(conversation.id)}}),
        button('more', null, () => this.edit(conversation.id), {class: 'icon', label: `Rename, export or delete: ${conversation.title}`})));
    }
    const focused = [...this.list.querySelectorAll('button')].indexOf(document.activeElement);
    this.list.replaceChildren(...nodes);
    if (focused >= 0) this.list.querySelectorAll('button')[focused]?.focus();
  }

  async edit(id) {
    this.edited = await getConversation(id);
    if (!this.edited) return;
    this.form.elements.name.value = this.edited.title;
    this.resetRemoval();
    this.dialog.showModal();
  }

  resetRemoval() {
    byId('delete').querySelector('span')?.remove();
    byId('delete').lastChild.textContent = 'Delete';
    this.asked = false;
  }

  // The same button twice: deletion cannot be taken back.
  confirmRemoval() {
    if (!this.asked) {
      this.asked = true;
      byId('delete').lastChild.textContent = 'Really delete, with its pictures?';
      announce('Press again to delete for good');
      return;
    }
    this.dialog.close();
    this.handlers.remove(this.edited.id);
  }
}
