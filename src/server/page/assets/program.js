// The dialog with a request as curl and as Python.

import {apiBase} from './api.js';
import {announce, byId, copyText} from './dom.js';
import {asCurl, asPython, pictureMarks} from './snippets.js';

/** keyed(): whether a key is in use. -> show(messages, answer): the request that gave that answer. */
export function wireProgram({keyed, messagesOf, keptPicture}) {
  const dialog = byId('code');
  let texts = {};

  const draw = () => {
    byId('snippet').textContent = texts[dialog.querySelector('input:checked').value];
  };
  dialog.addEventListener('change', draw);
  byId('copy-code').addEventListener('click', async () => {
    announce(await copyText(byId('snippet').textContent, dialog) ? 'Copied' : 'The browser does not allow copying');
  });

  return async (messages, answer) => {
    const until = messages.slice(0, messages.indexOf(answer));
    const ids = [...new Set(until.flatMap(({pictures = []}) => pictures))];
    const marks = pictureMarks((await Promise.all(ids.map(keptPicture))).filter(Boolean));
    const {options, context} = answer.asked;
    const body = {...options, messages: await messagesOf(until, context, (id) => marks.get(id)?.mark ?? null), stream: true};
    texts = {curl: asCurl(apiBase(), body, marks, keyed()), python: asPython(apiBase(), body, marks)};
    draw();
    dialog.showModal();
  };
}
