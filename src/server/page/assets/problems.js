// Errors in plain words. In: {status, type, code, message} as the server sent them. Out: a title, what to do, and whether
// asking again can help.

/** {title, text, action: 'retry' | 'key' | 'new' | null} */
export function problemOf({status, type, code, message}) {
  if (status === 0) return {title: 'No connection', text: message, action: 'retry'};
  if (status === 401) return {title: 'The server asks for a key', text: message, action: 'key'};
  if (status === 403) return {title: 'The server does not allow this', text: message, action: 'key'};
  if (status === 413) return {title: 'Too large for this server', text: message, action: null};
  if (status === 429) return {title: 'The server is busy', text: message, action: 'retry'};
  if (status === 503) return {title: 'The server is not ready', text: message, action: 'retry'};
  if (status >= 500) return {title: 'The server failed', text: message, action: 'retry'};
  if (type === 'exceed_context_size_error' || code === 'context_length_exceeded') {
    return {title: 'Longer than the model can read', text: message, action: 'new'};
  }
  return {title: 'The server cannot do this', text: message, action: null};
}

/** What is happening, for the line in the place of an answer. */
export function phaseWords(phase) {
  if (phase.kind === 'waiting') {
    const when = `Trying again in ${phase.seconds} s.`;
    return phase.status === 429 ? `The server is busy. ${when}` : `The server is loading its model. ${when}`;
  }
  if (phase.kind === 'reading') {
    if (phase.tiles_done < phase.tiles_total) return `Looking: ${phase.tiles_done} of ${phase.tiles_total} tiles`;
    return `Reading ${phase.prompt_tokens} tokens`;
  }
  return phase.kind === 'writing' ? '' : 'Asking';
}
