// What only passes through to an upstream.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { toFile } from 'openai';
import { UPSTREAM_KEY, clientOf, start } from './support/gateway.js';
import { listen, says, streams } from './support/upstream.js';

const upstream = await listen({ after });
const gateway = await start({ after, upstream: upstream.url });
const client = clientOf(gateway);
const completion = { id: 'c', object: 'chat.completion', created: 1, model: 'scripted', choices: [] };

test('credentials stay on their side', async () => {
  upstream.answers.push(says(completion, 200, { 'openai-organization': 'org-upstream', 'set-cookie': 'a=b' }));
  const mine = clientOf(gateway, { organization: 'org-mine', project: 'proj-mine' });
  const { response } = await mine.chat.completions.create({ model: 'scripted', messages: [] }).withResponse();
  const { headers } = upstream.asked.at(-1);
  assert.equal(headers.authorization, `Bearer ${UPSTREAM_KEY}`);
  assert.equal(headers['openai-organization'], undefined);
  assert.equal(headers['openai-project'], undefined);
  assert.equal(response.headers.get('openai-organization'), null);
  assert.equal(response.headers.get('set-cookie'), null);
});

test("the client's own retries work through Weir", async () => {
  const limited = { error: { message: 'slow down', type: 'requests', param: null, code: 'rate_limit_exceeded' } };
  upstream.answers.push(says(limited, 429, { 'retry-after-ms': '1' }), says(completion));
  const patient = clientOf(gateway, { maxRetries: 1 });
  assert.equal((await patient.chat.completions.create({ model: 'scripted', messages: [] })).id, 'c');
});

test('an upload arrives as it was sent', async () => {
  const content = randomBytes(2 << 20);
  upstream.answers.push(says({ id: 'file-1', object: 'file', bytes: content.length, purpose: 'user_data' }));
  const made = await client.files.create({ file: await toFile(content, 'blob.bin'), purpose: 'user_data' });
  assert.equal(made.id, 'file-1');
  const asked = upstream.asked.at(-1);
  assert.equal(asked.url, '/v1/files');
  assert.match(asked.headers['content-type'], /^multipart\/form-data; ?boundary=/);
  assert.ok(asked.body.includes(content));
});

const response = {
  id: 'resp_1',
  object: 'response',
  status: 'completed',
  output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'water', annotations: [] }] }],
};

test('responses pass', async () => {
  upstream.answers.push(says(response));
  const answer = await client.responses.create({ model: 'scripted', input: 'What runs?' });
  assert.equal(answer.output_text, 'water');
  assert.deepEqual(JSON.parse(upstream.asked.at(-1).body), { model: 'scripted', input: 'What runs?' });
});

test('streamed responses pass', async () => {
  const delta = (text) => ({ type: 'response.output_text.delta', delta: text, item_id: 'msg_1', output_index: 0 });
  upstream.answers.push(streams(delta('wa'), delta('ter'), { type: 'response.completed', response }));
  let text = '';
  for await (const event of await client.responses.create({ model: 'scripted', input: 'x', stream: true })) {
    if (event.type === 'response.output_text.delta') text += event.delta;
  }
  assert.equal(text, 'water');
});
