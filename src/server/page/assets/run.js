// One answer from the first byte to the last: streams into a message, waits and asks again while the server is busy or
// loading. A run is {conversation, message, body, phase, controller}; its phase is what is happening now:
// {kind: 'sending' | 'reading' | 'writing' | 'waiting'}.

import {ServerError, streamAnswer} from './api.js';

const MOST_TRIES = 6;
const LONGEST_WAIT_MS = 60000;

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('stopped', 'AbortError'));
    }, {once: true});
  });
}

// Counts down in front of the user.
async function wait(run, error, ms, changed) {
  for (let left = Math.ceil(ms / 1000); left > 0; --left) {
    run.phase = {kind: 'waiting', status: error.status, seconds: left};
    changed(run);
    await sleep(Math.min(1000, ms), run.controller.signal);
  }
}

function take(run, event) {
  const {message} = run;
  if (event.progress) run.phase = {kind: 'reading', ...event.progress};
  else if (event.text) {
    run.phase = {kind: 'writing'};
    message.text += event.text;
  } else if (event.finish) message.finish = event.finish;
  else if (event.figures) message.figures = event.figures;
}

/** Fills run.message; never throws. changed(run) is called whenever there is something new to see. */
export async function runAnswer(run, key, changed) {
  const {message, controller: {signal}} = run;
  for (let attempt = 1;; ++attempt) {
    run.phase = {kind: 'sending'};
    changed(run);
    try {
      for await (const event of streamAnswer(run.body, {key: key(), signal})) {
        take(run, event);
        changed(run);
      }
      message.state = 'done';
      return;
    } catch (error) {
      if (error.name === 'AbortError') {
        message.state = 'stopped';
        return;
      }
      const known = error instanceof ServerError ? error : new ServerError(0, {message: String(error.message)});
      const ms = known.retryAfterMs ?? 1000 * 2 ** (attempt - 1);
      if (known.passing && !message.text && attempt < MOST_TRIES && ms <= LONGEST_WAIT_MS) {
        try {
          await wait(run, known, ms, changed);
          continue;
        } catch {
          message.state = 'stopped';
          return;
        }
      }
      message.state = 'error';
      message.error = {status: known.status, type: known.type, code: known.code, message: known.message, retryAfterMs: known.retryAfterMs};
      return;
    }
  }
}
