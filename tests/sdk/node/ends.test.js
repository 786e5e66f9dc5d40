// Headers, error classes, and the ways a stream ends.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI from 'openai';
import { clientOf, start, watch } from './support/gateway.js';

const gateway = await start({ after });
const client = clientOf(gateway);
const messages = [{ role: 'user', content: 'Hello' }];
const ask = (model, more) => client.chat.completions.create({ model, messages, ...more });

/** Within which Weir has to notice that a client is gone. */
const SECOND_MS = 1000;

test('every answer has its id and its time', async () => {
  const { data, response, request_id } = await ask('simulator/fast').withResponse();
  assert.match(request_id, /^req_/);
  assert.equal(data._request_id, request_id);
  assert.equal(response.headers.get('x-request-id'), request_id);
  assert.equal(response.headers.get('openai-version'), '2020-10-01');
  assert.ok(Number(response.headers.get('openai-processing-ms')) >= 0);
});

test('a stream is announced as one', async () => {
  const { data, response } = await ask('simulator/fast', { stream: true }).withResponse();
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.equal(response.headers.get('cache-control'), 'no-cache');
  for await (const chunk of data) assert.equal(chunk.object, 'chat.completion.chunk');
});

const failures = [
  ['a wrong key', OpenAI.AuthenticationError, 'invalid_api_key', () => clientOf({ ...gateway, key: 'sk-no' }).models.list()],
  ['an unknown model', OpenAI.NotFoundError, 'model_not_found', () => ask('nope')],
  ['an unknown path', OpenAI.NotFoundError, 'unknown_url', () => client.get('/nope')],
  ['a missing member', OpenAI.BadRequestError, 'missing_required_parameter', () => ask('simulator', { messages: undefined })],
  ['a limit of the upstream', OpenAI.RateLimitError, 'rate_limit_exceeded', () => ask('simulator/429')],
  ['a failure of the upstream', OpenAI.InternalServerError, null, () => ask('simulator/500')],
  ['a refused credential of the gateway', OpenAI.InternalServerError, 'upstream_auth', () => ask('simulator/401')],
  ['an upstream that is not there', OpenAI.InternalServerError, 'upstream_unreachable', () => ask('scripted')],
];

for (const [what, kind, code, attempt] of failures) {
  test(`${what} raises ${kind.name}`, async () => {
    await assert.rejects(async () => attempt(), (error) => {
      assert.ok(error instanceof kind, `${error}`);
      assert.equal(error.code, code);
      assert.match(error.requestID, /^req_/);
      return true;
    });
  });
}

test('a client that waits no longer times out', async () => {
  const attempt = client.chat.completions.create({ model: 'simulator/slow-start', messages }, { timeout: 200 });
  await assert.rejects(attempt, OpenAI.APIConnectionTimeoutError);
});

for (const [model, code] of [
  ['simulator/die-midstream', 'upstream_interrupted'],
  ['simulator/no-done', 'upstream_interrupted'],
  ['simulator/error-event', null],
]) {
  test(`a stream of ${model} raises where it breaks off`, async () => {
    let chunks = 0;
    const read = async () => {
      for await (const _ of await ask(model, { stream: true })) chunks += 1;
    };
    await assert.rejects(read, (error) => {
      assert.ok(error instanceof OpenAI.APIError, `${error}`);
      assert.equal(error.code, code);
      return true;
    });
    assert.ok(chunks > 1, 'what came before the break was delivered');
  });
}

for (const [how, leave] of [
  ['controller.abort()', (stream) => stream.controller.abort()],
  ['break', () => 'break'],
]) {
  test(`a stream that is left by ${how} is cancelled`, async () => {
    const events = await watch(gateway, 10_000);
    const { data: stream, request_id } = await ask('simulator/slow', { stream: true }).withResponse();
    let left;
    for await (const chunk of stream) {
      if (!chunk.choices[0].delta.content) continue;
      left = performance.now();
      if (leave(stream) === 'break') break;
    }
    const end = await events.endOf(request_id);
    assert.ok(performance.now() - left < SECOND_MS);
    assert.equal(end.outcome, 'client_gone');
    assert.ok(end.chunks >= 1 && end.chunks < 10);
  });
}
