// A small model server that answers as it is told to and remembers what it was asked.

import { once } from 'node:events';
import { createServer } from 'node:http';

/** Starts one, and stops it with the file's tests. */
export async function listen({ after }) {
  const asked = [];
  const answers = [];
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    asked.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(pieces) });
    const { status = 200, headers = {}, body = '' } = answers.shift() ?? { status: 500 };
    response.writeHead(status, headers).end(body);
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

/** A stream of named events, as the Responses API sends them. */
export function streams(...events) {
  const body = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
  return { headers: { 'content-type': 'text/event-stream' }, body };
}
