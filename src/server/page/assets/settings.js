// What the user set. Kept in localStorage, except for the API key: that is kept in sessionStorage, for one tab.

import {byId, setIcon} from './dom.js';

const DEFAULTS = {
  model: '', system: '', temperature: '', topP: '', maxTokens: '', seed: '', detail: 'auto', schema: '', grid: true,
  figures: true,
};
const NUMBERS = ['temperature', 'topP', 'maxTokens', 'seed'];

function stored(storage, name) {
  try {
    return storage().getItem(name);
  } catch {
    return null;
  }
}

function store(storage, name, value) {
  try {
    if (value === '' || value === null) storage().removeItem(name);
    else storage().setItem(name, value);
  } catch {
    // Storage is switched off: what was set lasts as long as the page.
  }
}
const local = () => localStorage;
const session = () => sessionStorage;

function load() {
  try {
    const kept = JSON.parse(stored(local, 'galago.settings') ?? '{}');
    const known = Object.entries(kept).filter(([name, value]) => typeof value === typeof DEFAULTS[name]);
    return {...DEFAULTS, ...Object.fromEntries(known)};
  } catch {
    return {...DEFAULTS};
  }
}

export const settings = load();
let key = stored(session, 'galago.key') ?? '';

export function saveSettings(changes) {
  Object.assign(settings, changes);
  store(local, 'galago.settings', JSON.stringify(settings));
}

export const apiKey = () => key;
export function setApiKey(value) {
  key = value;
  store(session, 'galago.key', value);
}

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const chosenTheme = () => document.documentElement.dataset.theme ?? 'system';
const isDark = () => (chosenTheme() === 'system' ? systemIsDark.matches : chosenTheme() === 'dark');

function showTheme() {
  const node = byId('theme');
  const words = isDark() ? 'Light appearance' : 'Dark appearance';
  setIcon(node, isDark() ? 'sun' : 'moon');
  node.title = words;
  node.setAttribute('aria-label', words);
}

function setTheme(theme) {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  store(local, 'galago.theme', theme === 'system' ? '' : theme);
  showTheme();
}

/** The schema in a text: {schema} or {problem}, neither when the text is empty. */
export function readSchema(text) {
  if (!text.trim()) return {};
  try {
    const schema = JSON.parse(text);
    if (schema === null || typeof schema !== 'object' || Array.isArray(schema)) return {problem: 'A schema is an object: { … }.'};
    return {schema};
  } catch (error) {
    return {problem: `This is not JSON: ${error.message}`};
  }
}

function problemOf(field) {
  if (field.name === 'schema') return readSchema(field.value).problem ?? '';
  return NUMBERS.includes(field.name) ? field.validationMessage : '';
}

// Shows beside the field what is wrong with it; true when nothing is.
function check(field) {
  const problem = problemOf(field);
  const place = field.closest('.field');
  place.querySelector('.problem')?.remove();
  field.removeAttribute('aria-invalid');
  if (!problem) return true;
  field.setAttribute('aria-invalid', 'true');
  const told = document.createElement('span');
  told.className = 'problem';
  told.setAttribute('role', 'alert');
  told.textContent = problem;
  place.append(told);
  return false;
}

function fill(form) {
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.name === 'key') field.value = key;
    else if (field.name === 'theme') field.checked = field.value === chosenTheme();
    else if (field.type === 'radio') field.checked = field.value === settings[field.name];
    else if (field.type === 'checkbox') field.checked = settings[field.name];
    else field.value = settings[field.name];
    if (field.type !== 'radio' && field.type !== 'checkbox') check(field);
  }
}

/** Wires dialog and switch; changed(names) is called after each change that holds. */
export function wireSettings(changed) {
  const dialog = byId('settings');
  const form = byId('settings-form');
  byId('open-settings').addEventListener('click', () => {
    fill(form);
    dialog.showModal();
  });
  form.addEventListener('change', ({target}) => {
    if (target.name === 'theme') setTheme(target.value);
    else if (target.name === 'key') setApiKey(target.value.trim());
    else if (target.type === 'checkbox') saveSettings({[target.name]: target.checked});
    else if (target.type === 'radio') saveSettings({[target.name]: target.value});
    else if (check(target)) saveSettings({[target.name]: target.value.trim()});
    else return;
    changed(target.name);
  });
  form.addEventListener('submit', (event) => {
    const wrong = [...form.elements].find((field) => field.name && problemOf(field));
    if (!wrong) return;
    event.preventDefault();
    check(wrong);
    wrong.focus();
  });
  byId('reset-settings').addEventListener('click', () => {
    saveSettings({...DEFAULTS, model: settings.model});
    fill(form);
    changed('all');
  });
  byId('theme').addEventListener('click', () => setTheme(isDark() ? 'light' : 'dark'));
  systemIsDark.addEventListener('change', showTheme);
  showTheme();
}
