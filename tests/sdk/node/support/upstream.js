// A small model server that answers as it is told to and remembers what it was asked.

import { once } from 'node:events';
import { createServer } from 'node:http';

const HANGS_MS = 10_000;

/** Starts one, and stops it with the file's tests. */
export async function listen({ after }) {
  const asked = [];
  const answers = [];
  const server = createServer(async (request, response) => {
    const read = [];
    for await (const piece of request) read.push(piece);
    asked.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(read) });
    const { status = 200, headers = {}, body = '', pieces = [], hangs = false } = answers.shift() ?? { status: 500 };
    response.writeHead(status, headers);
    for (const piece of pieces) response.write(piece);
    // A gateway that does not leave fails a test, and does not hold it up for good.
    if (hangs) response.setTimeout(HANGS_MS);
    else response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}/v1`, asked, answers };
}

/** A JSON answer. */
export function says(value, status = 200, headers = {}) {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

const EVENTS = { 'content-type': 'text/event-stream' };

/** A stream of named events, as the Responses API sends them. */
export function streams(...events) {
  return { headers: EVENTS, pieces: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`) };
}

/** A stream of chunks with these texts, as chat completions send them. If it `hangs`, it has no end. */
export function chatStream(texts, { hangs = false } = {}) {
  const deltas = texts.map((content) => ({ index: 0, delta: { content }, finish_reason: null }));
  const choices = hangs ? deltas : [...deltas, { index: 0, delta: {}, finish_reason: 'stop' }];
  const about = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'scripted' };
  const pieces = choices.map((choice) => `data: ${JSON.stringify({ ...about, choices: [choice] })}\n\n`);
  return { headers: EVENTS, pieces, body: hangs ? '' : 'data: [DONE]\n\n', hangs };
}
