// In the page, before its own scripts: answers to questions come from the test. hand.put(text) writes to the newest
// stream, hand.event(object) an event, hand.end() ends it; hand.asked are the bodies that were sent.
window.hand = {
  asked: [],
  put(text) { this.stream.enqueue(new TextEncoder().encode(text)); },
  event(object) { this.put(`data: ${JSON.stringify(object)}\n\n`); },
  say(content) { this.event({choices: [{index: 0, delta: {content}, finish_reason: null}]}); },
  finish(reason = 'stop') {
    this.event({choices: [{index: 0, delta: {}, finish_reason: reason}]});
    this.put('data: [DONE]\n\n');
    this.end();
  },
  end() { this.stream.close(); },
  async started(count) {
    for (let tries = 0; this.asked.length < count; ++tries) {
      if (tries === 1000) throw new Error('nothing was asked');
      await new Promise((next) => setTimeout(next, 10));
    }
  },
};
const serverFetch = window.fetch;
window.fetch = (address, options) => {
  if (!String(address).endsWith('/v1/chat/completions')) return serverFetch(address, options);
  const hand = window.hand;
  hand.asked.push(JSON.parse(options.body));
  const body = new ReadableStream({start(controller) { hand.stream = controller; }});
  const {stream} = hand;
  // As a connection does: a little later.
  options.signal.addEventListener('abort', () => setTimeout(() => stream.error(options.signal.reason), 100));
  return Promise.resolve(new Response(body, {headers: {'Content-Type': 'text/event-stream'}}));
};
