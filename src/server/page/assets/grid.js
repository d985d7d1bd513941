// The tile grid, drawn over a picture: which parts of it the model sees as pictures of their own. Tiles that the vision
// tower has not read yet are veiled.

import {el, plural, svg} from './dom.js';

/**
 * A drawing for {rows, cols, tiles}; the place of picture and drawing is up to the style sheet. setSeen(n): the first n
 * tiles are read, in the order of the prompt (row by row, the whole picture last); null: nothing is veiled.
 */
export function gridOverlay({rows, cols, tiles}) {
  const split = rows * cols > 1;
  const [high, wide] = split ? [rows, cols] : [1, 1];
  const root = svg('svg', {class: 'grid', viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'});
  const places = [];
  for (let row = 0; row < high; ++row) {
    for (let col = 0; col < wide; ++col) {
      places.push(svg('rect', {class: 'tile', x: col, y: row, width: 1, height: 1}));
    }
  }
  root.append(...places);
  if (split) {
    const lines = [];
    for (let row = 1; row < high; ++row) lines.push(`M0 ${row}H${wide}`);
    for (let col = 1; col < wide; ++col) lines.push(`M${col} 0V${high}`);
    root.append(svg('path', {class: 'casing', d: lines.join('')}), svg('path', {class: 'line', d: lines.join('')}));
  }
  return {
    root, tiles,
    setSeen(count) {
      root.classList.toggle('reading', count !== null);
      // A picture that is one tile is clear once that one is read.
      places.forEach((place, i) => place.classList.toggle('seen', count === null || i < count));
    },
  };
}

/** "2 × 2 tiles and the whole, 93 tokens" */
export function gridWords({rows, cols, tokens}) {
  const tiles = rows * cols > 1 ? `${rows} × ${cols} tiles and the whole` : 'one tile';
  return `${tiles}, ${plural(tokens, 'token')}`;
}

const THINNEST = 24;      // pixels of the screen
const MOST_ENLARGED = 2;  // a small picture is shown larger, for the grid to be seen

// The size on the screen in which a picture fills a box.
function sizeWithin({width, height}, box) {
  const scale = Math.min(box.width / width, box.height / height, MOST_ENLARGED);
  return {width: Math.max(THINNEST, width * scale), height: Math.max(THINNEST, height * scale)};
}

function pictureNode(picture, box) {
  const node = el('img', {src: picture.url, alt: picture.name, draggable: 'false'});
  const {width, height} = sizeWithin(picture, box);
  node.style.width = `${width}px`;
  node.style.aspectRatio = `${width} / ${height}`;
  return node;
}

/**
 * A picture with its grid, within a box of {width, height} pixels. picture: {name, url, shown, width, height}; image:
 * what the server said of it, or null. -> {root, setImage(image), setSeen(count)}
 */
export function pictureFrame(picture, box, image = null) {
  const shown = picture.shown
    ? pictureNode(picture, box)
    : el('span', {class: 'unseen', role: 'img', 'aria-label': picture.name},
         el('span', {text: picture.name}), el('span', {class: 'quiet', text: 'This browser cannot show it'}));
  const root = el('span', {class: 'frame'}, shown);
  let grid = null;
  const frame = {
    root,
    image,
    setImage(next) {
      grid?.root.remove();
      grid = null;
      frame.image = next;
      if (!next) return;
      grid = gridOverlay(next);
      root.append(grid.root);
    },
    setSeen(count) {
      grid?.setSeen(count);
    },
  };
  frame.setImage(image);
  return frame;
}
