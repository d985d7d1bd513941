// The frame around the conversation: the list at the side, and scrolling that follows an answer while the reader is at
// its end.

import {byId} from './dom.js';

const NEAR = 80;  // pixels from the end that count as being there

/** -> {toEnd(), toStart(), closeSide()} */
export function wireShell() {
  const scroll = byId('scroll');
  const app = byId('app');
  const opener = byId('open-side');
  const narrow = matchMedia('(max-width: 800px), (max-height: 480px)');
  let open = !narrow.matches;

  let following = true;
  let last = 0;

  const atEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
  const toEnd = () => { scroll.scrollTop = scroll.scrollHeight; };
  const showJump = () => { byId('to-end').hidden = atEnd() || !byId('turns').childElementCount; };

  const setSide = (next, focus = false) => {
    open = next;
    const over = open && narrow.matches;
    app.classList.toggle('side-open', open);
    opener.setAttribute('aria-expanded', String(open));
    byId('backdrop').hidden = !over;
    byId('main').inert = over;
    if (focus) (open ? byId('new') : opener).focus();
  };

  opener.addEventListener('click', () => setSide(!open, narrow.matches));
  byId('close-side').addEventListener('click', () => setSide(false, true));
  byId('backdrop').addEventListener('click', () => setSide(false, true));
  byId('side').addEventListener('keydown', (event) => { if (event.key === 'Escape' && narrow.matches) setSide(false, true); });
  narrow.addEventListener('change', () => setSide(!narrow.matches));
  // What grows moves the end away from a reader who did not move: only scrolling up leaves it.
  scroll.addEventListener('scroll', () => {
    if (atEnd()) following = true;
    else if (scroll.scrollTop < last) following = false;
    last = scroll.scrollTop;
    showJump();
  }, {passive: true});
  byId('to-end').addEventListener('click', () => {
    toEnd();
    byId('question').focus();
  });
  // Text that grows and pictures that load.
  new ResizeObserver(() => {
    if (following) toEnd();
    showJump();
  }).observe(byId('turns'));
  setSide(open);

  return {
    toEnd() {
      following = true;
      toEnd();
    },
    toStart() {
      scroll.scrollTop = 0;
    },
    closeSide() {
      if (narrow.matches) setSide(false);
    },
  };
}
