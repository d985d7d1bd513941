// The server's routes. In: a request body. Out: its answers, or a ServerError. Nothing here knows the document.

/** What the server said when it did not do what was asked. status 0: it did not answer at all. */
export class ServerError extends Error {
  constructor(status, {message, type = '', code = null} = {}, retryAfterMs = null) {
    super(message || `The server answered ${status}.`);
    this.status = status;
    this.type = type;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may work later. */
  get passing() {
    return this.status === 429 || this.status === 503;
  }
}

const url = (path) => new URL(path, document.baseURI).href;

/** Where clients of the API point to: ends in /v1. */
export const apiBase = () => url('v1');

function retryAfter(headers) {
  const ms = Number(headers.get('retry-after-ms') ?? NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const text = headers.get('retry-after');
  if (text === null) return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

async function send(path, {key = '', body, signal} = {}) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(url(path), {
      method: body ? 'POST' : 'GET', headers, body: body ? JSON.stringify(body) : undefined, signal, cache: 'no-store',
      credentials: 'same-origin',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ServerError(0, {message: 'The server does not answer. Is it still running?'});
  }
  if (response.ok) return response;
  let told = {};
  try {
    told = (await response.json()).error ?? {};
  } catch {
    // Not JSON: something between the page and the server answered.
  }
  throw new ServerError(response.status, told, retryAfter(response.headers));
}

/** [{id, capabilities, context_length}] */
export async function listModels(options) {
  return (await (await send('v1/models', options)).json()).data ?? [];
}

/** Tokens and tile grids of a request that is not asked yet. */
export async function countTokens(body, options) {
  return (await send('v1/chat/completions/input_tokens', {...options, body})).json();
}

/**
 * Reads server-sent events: yields the text of each one's data. Comments and other fields are passed over; an event
 * without its blank line at the end of the stream is none.
 */
export async function* readEvents(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let data = [];
  try {
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, {stream: true})).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === '') {
          if (data.length) yield data.join('\n');
          data = [];
        } else if (line.startsWith('data:')) {
          data.push(line.slice(line[5] === ' ' ? 6 : 5));
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Asks, and yields what comes: {progress: {tiles_done, tiles_total, prompt_tokens}}, {text}, {finish}, and at the end
 * {figures: {usage, timings, images, cache}}. Throws ServerError, also in mid-answer, and when the stream ends early.
 */
export async function* streamAnswer(body, options) {
  const response = await send('v1/chat/completions', {...options, body});
  let whole = false;
  try {
    for await (const data of readEvents(response.body)) {
      if (data === '[DONE]') {
        whole = true;
        break;
      }
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ServerError(chunk.error.status ?? 500, chunk.error);
      if (chunk.object === 'galago.progress') {
        yield {progress: chunk};
        continue;
      }
      const choice = chunk.choices?.[0];
      if (choice?.delta?.content) yield {text: choice.delta.content};
      if (choice?.finish_reason) yield {finish: choice.finish_reason};
      if (chunk.usage) {
        const {usage, timings = null, images = [], cache = null} = chunk;
        yield {figures: {usage, timings, images, cache}};
      }
    }
  } catch (error) {
    if (error instanceof ServerError || error.name === 'AbortError') throw error;
    throw new ServerError(0, {message: 'The connection broke before the answer was whole.'});
  }
  if (!whole) throw new ServerError(0, {message: 'The connection ended before the answer was whole.'});
}
