// Pictures on their way in: from files, the clipboard and drops to {id, name, type, blob, url, shown, width, height}.
// Their bytes are sent as they are, so that the server sees what a program would send; nothing is scaled or converted.

import {newId} from './dom.js';
import {getPicture} from './store.js';

const TYPES = {
  jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', gif: 'image/gif', webp: 'image/webp', bmp: 'image/bmp', tif: 'image/tiff',
  tiff: 'image/tiff', heic: 'image/heic', heif: 'image/heif', avif: 'image/avif',
};

/** The media type of a file by its own word or its name's ending; null when it is no picture. */
export function pictureType(file) {
  if (file.type.startsWith('image/') && file.type !== 'image/svg+xml') return file.type;
  if (file.type) return null;
  return TYPES[file.name?.split('.').pop().toLowerCase()] ?? null;
}

// What the browser can show of it: its size as it is seen, orientation applied.
async function sizeOf(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return {shown: true, width: image.naturalWidth, height: image.naturalHeight};
  } catch {
    return {shown: false, width: 0, height: 0};
  }
}

async function open(record) {
  const url = URL.createObjectURL(record.blob);
  return {...record, url, ...(await sizeOf(url))};
}

/** A picture of a file; null when it is none. */
export async function pictureOf(file) {
  const type = pictureType(file);
  if (!type) return null;
  return open({id: newId(), name: file.name || `picture.${type.split('/')[1]}`, type, blob: file});
}

const opened = new Map();  // id -> promise of a picture

/** The kept picture with that id; null when it is gone. */
export function keptPicture(id) {
  if (!opened.has(id)) opened.set(id, getPicture(id).then((record) => (record ? open(record) : null)));
  return opened.get(id);
}

/** Makes a picture that was just put away known without reading it back. */
export const rememberPicture = (picture) => opened.set(picture.id, Promise.resolve(picture));

/** Lets go of what is not in use: ids of pictures that stay. */
export async function releasePictures(keep) {
  for (const [id, promise] of opened) {
    if (keep.has(id)) continue;
    opened.delete(id);
    const picture = await promise;
    if (picture) URL.revokeObjectURL(picture.url);
  }
}

/** data:TYPE;base64,... */
export function dataAddress({blob, type}) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(`data:${type};base64,${reader.result.slice(reader.result.indexOf(',') + 1)}`);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/**
 * Wires paste and drop on the whole window. take(files) gets what came; refuse(text) says why nothing could be taken.
 */
export function wireIntake({take, refuse, veil}) {
  window.addEventListener('paste', ({clipboardData}) => {
    const files = [...(clipboardData?.files ?? [])];
    if (files.length) take(files);
  });
  const carriesFiles = (event) => event.dataTransfer?.types.includes('Files');
  const carriesAddress = (event) => event.dataTransfer?.types.includes('text/uri-list');
  let depth = 0;
  const show = (next) => {
    depth = next;
    veil.hidden = depth === 0;
  };
  window.addEventListener('dragenter', (event) => { if (carriesFiles(event)) show(depth + 1); });
  window.addEventListener('dragleave', (event) => { if (carriesFiles(event)) show(Math.max(0, depth - 1)); });
  window.addEventListener('dragover', (event) => { if (carriesFiles(event) || carriesAddress(event)) event.preventDefault(); });
  window.addEventListener('drop', (event) => {
    show(0);
    if (carriesFiles(event)) {
      event.preventDefault();
      take([...event.dataTransfer.files]);
    } else if (carriesAddress(event)) {
      event.preventDefault();
      refuse('That is an address. Save the picture first and drop the file: this page loads nothing from elsewhere.');
    }
  });
}
