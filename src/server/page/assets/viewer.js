// One picture, as large as the window allows, with its grid.

import {byId, formatCount} from './dom.js';
import {gridWords, pictureFrame} from './grid.js';

/** -> view(picture, image): opens the dialog. */
export function wireViewer() {
  const dialog = byId('viewer');
  dialog.addEventListener('close', () => byId('stage').replaceChildren());
  return (picture, image) => {
    byId('viewer-title').textContent = picture.name;
    const box = {width: Math.min(1052, window.innerWidth - 80), height: Math.max(160, window.innerHeight - 200)};
    byId('stage').replaceChildren(pictureFrame(picture, box, image).root);
    const size = picture.shown ? `${formatCount(picture.width)} × ${formatCount(picture.height)} pixels` : '';
    byId('viewer-facts').textContent = [size, image ? gridWords(image) : ''].filter(Boolean).join(' · ');
    dialog.showModal();
  };
}
