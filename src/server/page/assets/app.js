// The page put together: which conversation is open, what is asked, what is kept.

import {countTokens, listModels} from './api.js';
import {wireCamera} from './camera.js';
import {wireProgram} from './program.js';
import {Composer} from './composer.js';
import {announce, byId, drawIcons, newId, onPhone, wireDialogs} from './dom.js';
import {History} from './history.js';
import {dataAddress, keptPicture, releasePictures, rememberPicture, wireIntake} from './pictures.js';
import {contextOf, messagesOf, optionsOf} from './request.js';
import {runAnswer} from './run.js';
import {apiKey, saveSettings, setApiKey, settings, wireSettings} from './settings.js';
import {wireShell} from './shell.js';
import * as store from './store.js';
import {Turns} from './turns.js';
import {wireViewer} from './viewer.js';

const SAVE_EVERY_MS = 1000;
const COUNT_AFTER_MS = {pictures: 150, text: 500};
const MOST_BYTES_A_KEY = 4 << 20;  // pictures beyond that are not sent again for each pause in typing

const LEAD = byId('lead').textContent;

const state = {models: [], conversation: null, run: null, editing: false, cost: null, counting: null, timer: 0};

const freshConversation = () => ({id: newId(), title: 'New conversation', named: false, created: Date.now(), updated: Date.now(), messages: []});
const model = () => state.models.find(({id}) => id === settings.model) ?? state.models[0] ?? null;
const auth = (signal) => ({key: apiKey(), signal});
const shown = (run) => run.conversation === state.conversation;

function say(text, kind = 'note') {
  const notice = byId('notice');
  notice.textContent = text;
  notice.dataset.kind = kind;
  notice.hidden = !text;
}

// What is kept may be full: the conversation goes on, and the user is told.
async function keep(operation) {
  try {
    await operation;
  } catch (error) {
    say(`The browser could not keep this: ${error.message}`, 'problem');
  }
}

// Not one that was deleted while its answer came.
const save = (conversation) => (conversation.deleted ? Promise.resolve() : keep(store.putConversation(conversation)));

// On a phone a focused field brings up a keyboard, which only a touch of it is meant to do.
const focusQuestion = () => (onPhone() ? byId('scroll') : composer.text).focus({preventScroll: true});

// ---- the server

function askForKey(text) {
  byId('key-message').textContent = text;
  byId('key-form').elements.key.value = '';
  if (!byId('key').open) byId('key').showModal();
}

function showModels() {
  const select = byId('model');
  select.replaceChildren(...state.models.map(({id}) => new Option(id, id)));
  select.value = model()?.id ?? '';
  select.disabled = state.models.length < 2;
  const sees = model()?.capabilities?.images !== false;
  for (const id of ['choose', 'camera']) byId(id).disabled = !sees;
  for (const node of document.querySelectorAll('.for-pictures')) node.hidden = !sees;
  byId('empty-title').textContent = sees ? 'Ask about a picture' : 'Ask a question';
  byId('lead').textContent = sees ? LEAD : 'This model reads text only.';
  composer.text.placeholder = byId('empty-title').textContent;
}

async function connect() {
  try {
    const all = await listModels(auth());
    state.models = all.filter(({capabilities}) => capabilities?.chat !== false);
    showModels();
    say(all.length && !state.models.length ? `No model here answers questions: ${all.map(({id}) => id).join(', ')}.` : '', 'problem');
    count('pictures');
  } catch (error) {
    if (error.status === 401 || error.status === 403) {
      askForKey(error.message);
      return;
    }
    say(error.status === 503 ? 'The server is loading its model …' : `${error.message} Trying again …`, 'problem');
    setTimeout(connect, 2000);
  }
}

// ---- what the question will cost

async function requestFor(messages, context, address) {
  return {...optionsOf(settings, model()?.id), messages: await messagesOf(messages, context, address)};
}

async function addressOf(id) {
  const drafted = composer.pictures.find((picture) => picture.id === id) ?? await keptPicture(id);
  return drafted ? dataAddress(drafted) : null;
}

// The conversation before the question that is being written.
function earlier() {
  const {messages} = state.conversation;
  return state.editing ? messages.slice(0, -2) : messages;
}

function count(what) {
  clearTimeout(state.timer);
  state.counting?.abort();
  if (what === 'pictures') showCost(null);
  if (what === 'text' && composer.pictures.reduce((sum, {blob}) => sum + blob.size, 0) > MOST_BYTES_A_KEY) return;
  state.timer = setTimeout(countNow, COUNT_AFTER_MS[what]);
}

async function countNow() {
  const draft = {role: 'user', text: composer.text.value.trim(), pictures: composer.pictures.map(({id}) => id)};
  if (!draft.text && !draft.pictures.length) {
    showCost(null);
    return;
  }
  state.counting = new AbortController();
  const {signal} = state.counting;
  try {
    const body = await requestFor([...earlier(), draft], contextOf(settings), addressOf);
    const cost = await countTokens(body, auth(signal));
    if (!signal.aborted) showCost(cost);
  } catch {
    // A figure that is nice to have: what is wrong with the request is told when it is asked.
    if (!signal.aborted) showCost(null);
  }
}

function showCost(cost) {
  state.cost = cost;
  composer.setCost(cost, model()?.context_length);
}

// ---- asking

function titleOf({text}, pictures) {
  const words = (text || pictures[0]?.name || 'New conversation').replace(/\s+/g, ' ');
  return words.length > 60 ? `${words.slice(0, 59)}…` : words;
}

async function ask({text, pictures}) {
  if (state.run) return;
  const {conversation} = state;
  const images = pictures.length ? state.cost?.images?.slice(-pictures.length) ?? [] : [];
  conversation.messages = earlier();
  state.editing = false;
  const question = {role: 'user', text, pictures: pictures.map(({id}) => id), images};
  if (!conversation.messages.length && !conversation.named) conversation.title = titleOf(question, pictures);
  conversation.messages.push(question);
  for (const picture of pictures) {
    const {id, name, type, blob, width, height} = picture;
    rememberPicture(picture);
    keep(store.putPicture({id, conversation: conversation.id, name, type, blob, width, height}));
  }
  composer.clear();
  await answer(conversation);
}

async function again() {
  const {conversation} = state;
  if (state.run || conversation.messages.at(-1)?.role !== 'assistant') return;
  conversation.messages.pop();
  focusQuestion();
  await answer(conversation);
}

// Answers the last question of the conversation.
async function answer(conversation) {
  const message = {role: 'assistant', text: '', state: 'streaming', model: model()?.id ?? '',
                   asked: {options: optionsOf(settings, model()?.id), context: contextOf(settings)}};
  const run = {conversation, message, controller: new AbortController(), phase: {kind: 'sending'}, saved: Date.now()};
  state.run = run;
  composer.setRunning(true);
  announce('Asking');
  const question = conversation.messages.at(-1);
  const messages = [...conversation.messages];
  conversation.messages.push(message);
  conversation.updated = Date.now();
  window.history.replaceState(null, '', `#${conversation.id}`);
  showConversation();
  await save(conversation);
  dropUnused(conversation);
  history_.draw(state.conversation.id);
  const body = {...message.asked.options, messages: await messagesOf(messages, message.asked.context, addressOf)};
  run.body = {...body, stream: true, stream_options: {include_usage: true}, progress: true};
  if (question.pictures.length && !question.images.length) findImages(run, question, body);
  await runAnswer(run, apiKey, changed);
  await finish(run, question);
}

// The grids, when the question was asked before they were known.
async function findImages(run, question, body) {
  try {
    const {images} = await countTokens(body, auth(run.controller.signal));
    if (state.run === run) setImages(run, question, images);
  } catch {
    // They also come with the answer.
  }
}

function setImages(run, question, images) {
  question.images = images.slice(-question.pictures.length);
  if (shown(run)) turns.setImages(question.images);
}

let frame = 0;
function changed(run) {
  if (Date.now() - run.saved > SAVE_EVERY_MS) {
    run.saved = Date.now();
    save(run.conversation);
  }
  if (frame || !shown(run)) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    if (state.run === run && shown(run)) turns.grow(run);
  });
}

async function finish(run, question) {
  const {message, conversation} = run;
  state.run = null;
  composer.setRunning(false);
  conversation.updated = Date.now();
  if (question.pictures.length && message.figures?.images?.length >= question.pictures.length) setImages(run, question, message.figures.images);
  const saved = save(conversation);
  if (shown(run)) turns.finish(run);
  if (message.error?.status === 401) askForKey(message.error.message);
  await saved;
  changedHere(conversation.id);
}

function edit() {
  const question = state.conversation.messages.at(-2);
  if (state.run || !question) return;
  Promise.all(question.pictures.map(keptPicture)).then((pictures) => {
    state.editing = true;
    composer.load({text: question.text, pictures: pictures.filter(Boolean)}, true);
    composer.text.focus();
  });
}

function cancelEdit() {
  state.editing = false;
  composer.clear();
  composer.text.focus();
}

// ---- conversations

function showConversation() {
  const {conversation, run} = state;
  byId('title').textContent = conversation.title;
  document.title = conversation.messages.length ? `${conversation.title} – galago` : 'galago';
  byId('empty').hidden = conversation.messages.length > 0;
  turns.show(conversation, run?.conversation === conversation ? run : null);
  if (conversation.messages.length) shell.toEnd();
  else shell.toStart();
}

const picturesOf = (conversation) => conversation.messages.flatMap(({pictures = []}) => pictures);

// Pictures of questions that were changed.
async function dropUnused(conversation) {
  const used = new Set(picturesOf(conversation));
  await keep(store.dropPictures(conversation.id, used));
}

async function open(id) {
  if (state.conversation?.id === id) return;
  const running = state.run?.conversation;
  const next = (running?.id === id ? running : id && await store.getConversation(id)) || freshConversation();
  state.conversation = next;
  state.editing = false;
  composer.clear();
  say('');
  const hash = next.messages.length ? `#${next.id}` : '';
  if (location.hash !== hash) window.history.pushState(null, '', hash || location.pathname + location.search);
  releasePictures(new Set([...picturesOf(next), ...(running ? picturesOf(running) : [])]));
  showConversation();
  history_.draw(next.id);
}

async function openAndFocus(id) {
  shell.closeSide();
  await open(id);
  focusQuestion();
}

async function rename(id, title) {
  const own = [state.conversation, state.run?.conversation].find((conversation) => conversation?.id === id);
  const conversation = own ?? await store.getConversation(id);
  Object.assign(conversation, {title, named: true});
  await save(conversation);
  if (own === state.conversation) byId('title').textContent = title;
  changedHere(id);
}

async function remove(id) {
  if (state.run?.conversation.id === id) {
    state.run.conversation.deleted = true;
    state.run.controller.abort();
  }
  await keep(store.deleteConversation(id));
  if (state.conversation.id === id) await openAndFocus(null);
  changedHere(id);
}

// Other tabs show the same conversations.
const tabs = new BroadcastChannel('galago');

function changedHere(id) {
  history_.draw(state.conversation.id);
  tabs.postMessage(id);
}

async function changedElsewhere(id) {
  history_.draw(state.conversation.id);
  if (state.conversation.id !== id || state.editing || state.run?.conversation.id === id) return;
  const next = await store.getConversation(id);
  if (!next || state.conversation.id !== id) return;
  state.conversation = next;
  showConversation();
}

/** What was typed while the picture came stays. */
async function example(question) {
  const before = byId('question').value;
  const blob = await (await fetch(new URL('page/shapes.png', document.baseURI))).blob();
  if (!composer.pictures.length) await composer.add([new File([blob], 'shapes.png', {type: 'image/png'})]);
  if (byId('question').value === before) composer.load({text: question, pictures: composer.pictures}, false);
  focusQuestion();
}

// ---- start

const viewer = wireViewer();
const program = wireProgram({keyed: () => Boolean(apiKey()), messagesOf, keptPicture});
const shell = wireShell();
const turns = new Turns(byId('turns'), {
  view: viewer, again, edit, key: askForKey, fresh: () => openAndFocus(null),
  program: (message) => program(state.conversation.messages, message),
});
const composer = new Composer({
  ask, stop: () => state.run?.controller.abort(), changed: count, editLast: edit, cancelEdit, say: (text) => say(text, 'problem'),
});

function wire() {
  drawIcons();
  wireDialogs();
  wireSettings((name) => {
    document.documentElement.classList.toggle('no-grid', !settings.grid);
    if (name === 'key') connect();
    else count('pictures');
  });
  document.documentElement.classList.toggle('no-grid', !settings.grid);
  wireIntake({take: (files) => composer.add(files), refuse: (text) => say(text, 'problem'), veil: byId('drop')});
  wireCamera((files) => composer.add(files));
  byId('new').addEventListener('click', () => openAndFocus(null));
  byId('model').addEventListener('change', ({target}) => {
    saveSettings({model: target.value});
    showModels();
    count('pictures');
  });
  byId('key-form').addEventListener('submit', (event) => {
    event.preventDefault();
    setApiKey(event.target.elements.key.value.trim());
    byId('key').close();
    connect();
    if (state.conversation.messages.at(-1)?.error?.status === 401) again();
  });
  for (const node of byId('suggestions').querySelectorAll('button')) node.addEventListener('click', () => example(node.textContent));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && state.run && !document.querySelector('dialog[open]')) state.run.controller.abort();
  });
  tabs.addEventListener('message', ({data}) => changedElsewhere(data));
  window.addEventListener('popstate', () => open(location.hash.slice(1)));
  window.addEventListener('pagehide', () => { if (state.run) save(state.run.conversation); });
}

await store.openStore();
const history_ = new History({open: openAndFocus, rename, remove});
wire();
await open(location.hash.slice(1));
await connect();
focusQuestion();
