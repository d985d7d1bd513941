// From a conversation and the settings to the body of POST /v1/chat/completions.

import {readSchema} from './settings.js';

const number = (text) => (text === '' || !Number.isFinite(Number(text)) ? undefined : Number(text));

const textParts = (text) => (text ? [{type: 'text', text}] : []);

/** What the settings say, without the messages. What is not set is left to the server. */
export function optionsOf(settings, model) {
  const {schema} = readSchema(settings.schema);
  const options = {
    model: model || undefined,
    temperature: number(settings.temperature),
    top_p: number(settings.topP),
    max_tokens: number(settings.maxTokens),
    seed: number(settings.seed),
    response_format: schema && {type: 'json_schema', json_schema: {name: 'answer', schema, strict: true}},
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** What else an answer depends on. */
export const contextOf = (settings) => ({system: settings.system.trim(), detail: settings.detail});

/**
 * Messages as the server takes them: pictures first, then the text. address(id) gives a picture's data address. Answers
 * without a word (an error, a stop) are left out together with their question.
 */
export async function messagesOf(messages, {system, detail}, address) {
  const out = system ? [{role: 'system', content: system}] : [];
  for (const [i, message] of messages.entries()) {
    const answer = messages[i + 1];
    if (message.role === 'assistant') {
      if (message.text) out.push({role: 'assistant', content: message.text});
      continue;
    }
    if (answer && !answer.text) continue;
    const pictures = [];
    for (const id of message.pictures) {
      const url = await address(id);
      if (url) pictures.push({type: 'image_url', image_url: detail === 'auto' ? {url} : {url, detail}});
    }
    out.push({role: 'user', content: pictures.length ? [...pictures, ...textParts(message.text)] : message.text});
  }
  return out;
}
