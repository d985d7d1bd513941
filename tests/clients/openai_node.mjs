// What OpenAI's client for Node does with a running `galago serve`: every call that docs/server-clients.md names.
// In: a server with a model that answers and one that embeds, a picture. Out: a line for each call; exit 1 when one fails.
// Usage: node tests/clients/openai_node.mjs URL KEY CHAT_MODEL EMBEDDING_MODEL PICTURE [MODULE]
//        MODULE: where the package is, unless `npm install openai` has put it beside this file.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const [url, key, chat, encoder, file, place] = process.argv.slice(2);
const {default: OpenAI} = await import(place ? pathToFileURL(place) : 'openai');
const client = new OpenAI({baseURL: `${url}/v1`, apiKey: key});

const picture = `data:image/png;base64,${readFileSync(file).toString('base64')}`;
const seen = {
  role: 'user',
  content: [{type: 'image_url', image_url: {url: picture}}, {type: 'text', text: 'What is in the picture?'}],
};
const asked = {model: chat, messages: [seen], max_completion_tokens: 12, temperature: 0};
const schema = {
  type: 'object', properties: {colour: {enum: ['red', 'blue']}, count: {type: 'integer', minimum: 0, maximum: 9}},
  required: ['colour', 'count'], additionalProperties: false,
};

const calls = {
  async 'models.list'() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert(names.includes(chat) && names.includes(encoder), names.join());
  },
  async 'chat.completions.create'() {
    const answer = await client.chat.completions.create({...asked, logprobs: true, top_logprobs: 2});
    assert.equal(answer.choices[0].message.role, 'assistant');
    assert(answer.choices[0].message.content.length > 0);
    assert(answer.choices[0].logprobs.content.every((token) => token.top_logprobs.length === 2 && token.logprob <= 0));
  },
  async 'chat.completions.create, stream'() {
    const whole = await client.chat.completions.create(asked);
    const stream = await client.chat.completions.create({...asked, stream: true, stream_options: {include_usage: true}});
    let text = '', usage;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? '';
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(usage.prompt_tokens, whole.usage.prompt_tokens);
  },
  async 'chat.completions.stream'() {
    const runner = client.chat.completions.stream(asked);
    let text = '';
    runner.on('content', (delta) => (text += delta));
    const whole = await runner.finalChatCompletion();
    assert.equal(text, whole.choices[0].message.content);
  },
  async 'chat.completions.parse'() {
    const answer = await client.chat.completions.parse({
      ...asked, max_completion_tokens: 60,
      response_format: {type: 'json_schema', json_schema: {name: 'things', schema, strict: true}},
    });
    const value = JSON.parse(answer.choices[0].message.content);
    assert(['red', 'blue'].includes(value.colour) && Number.isInteger(value.count));
  },
  async 'chat.completions.create, a required tool'() {
    const answer = await client.chat.completions.create({
      ...asked, max_completion_tokens: 60, tool_choice: 'required',
      tools: [{type: 'function', function: {name: 'count', parameters: schema}}],
    });
    const call = answer.choices[0].message.tool_calls[0];
    assert.equal(call.function.name, 'count');
    assert('colour' in JSON.parse(call.function.arguments));
  },
  async 'a stream that is left'() {
    const stream = await client.chat.completions.create({...asked, max_completion_tokens: 200, stream: true});
    for await (const chunk of stream) if (chunk.choices.length) break;
  },
  async 'responses.create'() {
    const input = [{role: 'user', content: [{type: 'input_image', image_url: picture, detail: 'auto'},
                                            {type: 'input_text', text: 'What is in the picture?'}]}];
    const answer = await client.responses.create({model: chat, input, max_output_tokens: 12});
    assert.equal(answer.output_text, answer.output[0].content[0].text);
    let text = '', last;
    for await (const event of await client.responses.create({model: chat, input, max_output_tokens: 12, stream: true})) {
      if (event.type === 'response.output_text.delta') text += event.delta;
      last = event.type;
    }
    assert.equal(text, answer.output_text);
    assert(['response.completed', 'response.incomplete'].includes(last), last);
  },
  async 'completions.create'() {
    const answer = await client.completions.create({model: chat, prompt: ['The', 'A'], max_tokens: 4});
    assert.equal(answer.choices.length, 2);
  },
  async 'embeddings.create'() {
    const coded = await client.embeddings.create({model: encoder, input: ['a cat', 'a dog']});  // base64 on the wire
    const plain = await client.embeddings.create({model: encoder, input: ['a cat', 'a dog'], encoding_format: 'float'});
    assert.equal(coded.data.length, 2);
    assert.deepEqual(Array.from(coded.data[1].embedding, Math.fround), Array.from(plain.data[1].embedding, Math.fround));
  },
  async 'errors have their classes'() {
    await assert.rejects(client.chat.completions.create({...asked, n: 0}), OpenAI.BadRequestError);
    await assert.rejects(client.chat.completions.create({...asked, model: 'none'}), OpenAI.NotFoundError);
    const stranger = new OpenAI({baseURL: `${url}/v1`, apiKey: 'wrong'});
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  },
};

let failed = 0;
for (const [name, call] of Object.entries(calls)) {
  try {
    await call();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.stack ?? error}`);
  }
}
process.exit(failed ? 1 : 0);
