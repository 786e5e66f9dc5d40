// Limits and budgets as OpenAI's client takes them: it waits as long as it is told, stops where nothing is left, and
// raises in the middle of a stream that is not paid for any more.

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import OpenAI from 'openai';
import { clientOf, start, watch } from './support/gateway.js';
import { chatStream, listen, says, streams } from './support/upstream.js';

/** How many ask at once. */
const CALLERS = 4;
/** How many tokens of an answer are paid ahead. */
const SLICE = 16;
/** A timer counts from the beginning of the millisecond that it is set in. */
const TIMER_MS = 1;
const UNLIMITED = String(Number.MAX_SAFE_INTEGER);

// A token of an answer costs a cent, and a prompt nothing.
const more = `
[[price]]
model = "scripted"
input = 0
output = 10000

[limits]
slice = ${SLICE}

[[tier]]
name = "brisk"
requests_per_minute = 120
requests_burst = ${CALLERS}
`;

const upstream = await listen({ after });
const newGateway = () => start({ after, upstream: upstream.url, more });
const gateway = await newGateway();

beforeEach(() => {
  upstream.asked.length = 0;
  upstream.answers.length = 0;
});

const adminOf = ({ controlUrl, adminKey }) =>
  new OpenAI({ baseURL: `${controlUrl}/v1`, apiKey: '-', adminAPIKey: adminKey, maxRetries: 0 });
const { projects } = adminOf(gateway).admin.organization;

/** A new key with these terms, which are in force at once. */
async function keyOf(weir, project = 'proj_default') {
  const account = await projects.serviceAccounts.create(project, { name: 'limited', weir });
  return account.api_key.value;
}

const budgetOf = (cents) => ({ budget: { threshold_amount: cents, currency: 'USD', interval: 'life' } });
const monthly = (cents) => ({ threshold_amount: cents, currency: 'USD', interval: 'month' });

/** A client that remembers what it sent and was answered. */
function recorded(key, { of = gateway, maxRetries = 0 } = {}) {
  const wire = { sent: [], answered: [] };
  const record = async (url, options) => {
    wire.sent.push(performance.now());
    const response = await fetch(url, options);
    wire.answered.push({ at: performance.now(), status: response.status, headers: response.headers });
    return response;
  };
  const client = clientOf(of, { apiKey: key, maxRetries, fetch: record });
  return { client, wire, statuses: () => wire.answered.map(({ status }) => status) };
}

function answer(tokens = 1) {
  const choice = { index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' };
  const usage = { prompt_tokens: 1, completion_tokens: tokens, total_tokens: 1 + tokens };
  return says({ id: 'c', object: 'chat.completion', created: 1, model: 'scripted', choices: [choice], usage });
}

const request = { model: 'scripted', messages: [{ role: 'user', content: 'Hello' }] };

async function ask(client) {
  const completion = await client.chat.completions.create({ ...request, max_tokens: 1 });
  return completion.choices[0].message.content;
}

async function askForStream(client) {
  let text = '';
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) text += textOf(chunk);
  return text;
}

const textOf = (chunk) => chunk.choices[0]?.delta.content ?? '';

/** How often this gateway has told somebody that a limit is in the way. */
async function refusals() {
  const metrics = await (await fetch(`${gateway.controlUrl}/metrics`)).text();
  const counts = [...metrics.matchAll(/^weir_limited_total\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** A span of time as OpenAI writes it, in milliseconds. */
function millisOf(span) {
  const millis = span.match(/^(\d+)ms$/);
  if (millis) return Number(millis[1]);
  const parts = span.match(/^(?:(\d+)h)?(?:(\d+)m)?(\d+(?:\.\d+)?)s$/);
  assert.ok(parts, span);
  const [hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0));
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

/** What is raised; a promise that is kept raises nothing. */
async function raisedBy(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was raised');
}

for (const [how, asking, answered] of [
  ['whole answers', ask, () => answer()],
  ['streams', askForStream, () => chatStream(['Hi'])],
]) {
  test(`callers that wait for ${how} as told pass on their only retry`, async () => {
    const key = await keyOf({ tier: 'brisk' });
    upstream.answers.push(...Array.from({ length: CALLERS }, () => answer()));
    for (let i = 0; i < CALLERS; i += 1) await ask(recorded(key).client);
    const before = await refusals();
    upstream.asked.length = 0;
    upstream.answers.push(...Array.from({ length: CALLERS }, answered));

    const callers = Array.from({ length: CALLERS }, () => recorded(key, { maxRetries: 1 }));
    const texts = await Promise.all(callers.map(({ client }) => asking(client)));
    assert.deepEqual(texts, Array(CALLERS).fill('Hi'));

    const refused = callers.filter(({ wire }) => wire.sent.length > 1);
    const told = new Set();
    for (const { wire, statuses } of refused) {
      assert.deepEqual(statuses(), [429, 200]);
      const wait = Number(wire.answered[0].headers.get('retry-after-ms'));
      const waited = wire.sent[1] - wire.answered[0].at;
      assert.ok(wait > 0 && waited >= wait - TIMER_MS, `told ${wait}, waited ${waited}`);
      told.add(wait);
    }
    assert.ok(refused.length > 1);
    assert.equal(told.size, refused.length, 'each was told a time of its own');
    assert.equal((await refusals()) - before, refused.length);
    assert.equal(upstream.asked.length, CALLERS, 'what was refused did not get there');
  });
}

for (const [limits, kind] of [
  [{ requests_per_minute: 2 }, 'requests'],
  [{ requests_per_day: 2 }, 'requests'],
  [{ tokens_per_minute: 2 }, 'tokens'],
]) {
  test(`without retries, ${Object.keys(limits)} raises RateLimitError`, async () => {
    upstream.answers.push(answer(), answer());
    const { client } = recorded(await keyOf({ limits }));
    const threeTimes = async () => {
      for (let i = 0; i < 3; i += 1) await ask(client);
    };
    const error = await raisedBy(threeTimes());
    assert.ok(error instanceof OpenAI.RateLimitError, `${error}`);
    assert.deepEqual([error.status, error.code, error.type], [429, 'rate_limit_exceeded', kind]);
    assert.match(error.requestID, /^req_/);
    const told = Number(error.headers.get('retry-after-ms'));
    assert.equal(Number(error.headers.get('retry-after')), Math.ceil(told / 1000));
    // No SDK believes a longer wait than a minute, and would come back in a second.
    assert.equal(error.headers.get('x-should-retry'), told > 63_000 ? 'false' : null);
    assert.equal(error.headers.get(`x-ratelimit-limit-${kind}`), '2');
    assert.equal(error.headers.get(`x-ratelimit-remaining-${kind}`), '0');
    assert.ok(told > 0 && 0 < millisOf(error.headers.get(`x-ratelimit-reset-${kind}`)));
  });
}

/** It was told once that nothing is left, and has believed it. */
function assertSpent(error, statuses, code) {
  assert.ok(error instanceof OpenAI.RateLimitError, `${error}`);
  assert.deepEqual([error.code, error.type], [code, 'insufficient_quota']);
  assert.equal(error.headers.get('x-should-retry'), 'false');
  assert.equal(error.headers.get('retry-after'), null);
  assert.equal(error.headers.get('retry-after-ms'), null);
  assert.deepEqual(statuses(), [429]);
}

/** A stream of ten tokens, of which three are paid for. */
async function cut(of, key, code) {
  const events = await watch(of, 10_000);
  upstream.answers.push(chatStream(Array(10).fill('Hi'), { hangs: true }));
  const { client, wire } = recorded(key, { of, maxRetries: 5 });
  const { data: stream, request_id: id } = await client.chat.completions
    .create({ ...request, stream: true })
    .withResponse();
  let text = '';
  const read = async () => {
    for await (const chunk of stream) text += textOf(chunk);
  };
  const error = await raisedBy(read());
  assert.equal(text, 'HiHiHi', 'what was paid for, and no more');
  // An answer that has begun has a status already, so it is not one of the classes that stand for one.
  assert.equal(error.constructor, OpenAI.APIError);
  assert.deepEqual([error.code, error.type], [code, 'insufficient_quota']);
  assert.match(error.message, /\$0\.03/);
  assert.equal(wire.sent.length, 1, 'what has begun is not begun again');
  assert.equal((await events.endOf(id)).outcome, 'cut_by_budget');
}

test("a stream raises where its key's budget ends, and whoever asks then asks once", async () => {
  const key = await keyOf(budgetOf(3));
  await cut(gateway, key, 'insufficient_quota');
  const before = await refusals();
  for (const asking of [ask, askForStream]) {
    const { client, statuses } = recorded(key, { maxRetries: 5 });
    assertSpent(await raisedBy(asking(client)), statuses, 'insufficient_quota');
  }
  assert.equal((await refusals()) - before, 2);
  assert.equal(upstream.asked.length, 1);
});

test("the streaming helper raises where its key's budget ends", async () => {
  upstream.answers.push(chatStream(Array(10).fill('Hi'), { hangs: true }));
  const { client } = recorded(await keyOf(budgetOf(3)));
  let text = '';
  const stream = client.chat.completions.stream(request).on('chunk', (chunk) => (text += textOf(chunk)));
  const error = await raisedBy(stream.finalChatCompletion());
  assert.ok(error instanceof OpenAI.APIError, `${error}`);
  assert.equal(error.code, 'insufficient_quota');
  assert.equal(text, 'HiHiHi');
});

test("a streamed response raises where its key's budget ends", async () => {
  const place = { item_id: 'msg_1', output_index: 0, content_index: 0 };
  const delta = { type: 'response.output_text.delta', delta: 'Hi', ...place };
  upstream.answers.push(streams(...Array(3 + 2 * SLICE).fill(delta)));
  const { client } = recorded(await keyOf(budgetOf(3)));
  let seen = 0;
  const read = async () => {
    for await (const _ of await client.responses.create({ model: 'scripted', input: 'Hello', stream: true })) seen += 1;
  };
  const error = await raisedBy(read());
  assert.equal(error.constructor, OpenAI.APIError);
  assert.equal(error.code, 'insufficient_quota');
  assert.equal(seen, 3);
});

test("a project's spend limit ends streams and refuses what follows", async () => {
  const code = 'project_spend_limit_exceeded';
  const project = await projects.create({ name: 'spender' });
  await projects.spendLimit.update(project.id, monthly(3));
  await cut(gateway, await keyOf({}, project.id), code);
  const { client, statuses } = recorded(await keyOf({}, project.id), { maxRetries: 5 });
  assertSpent(await raisedBy(ask(client)), statuses, code);
  await projects.spendLimit.delete(project.id);
  upstream.answers.push(answer());
  assert.equal(await ask(client), 'Hi', 'without the limit it goes on');
});

test("the organization's spend limit ends streams and refuses what follows", async () => {
  const code = 'organization_spend_limit_exceeded';
  // One of its own: what the others spent would count too.
  const own = await newGateway();
  const { organization } = adminOf(own).admin;
  await organization.spendLimit.update(monthly(3));
  // Its project may spend more, so that this one is in the way.
  await organization.projects.spendLimit.update('proj_default', monthly(100));
  await cut(own, own.key, code);
  const { client, statuses } = recorded(own.key, { of: own, maxRetries: 5 });
  assertSpent(await raisedBy(ask(client)), statuses, code);
});

test('every answer tells how the limits stand', async () => {
  const limited = clientOf(gateway, {
    apiKey: await keyOf({ limits: { requests_per_minute: 1000, tokens_per_day: 1_000_000 } }),
  });
  upstream.answers.push(answer(), chatStream(['Hi']), { status: 500 }, answer());
  const { response: whole } = await limited.chat.completions.create(request).withResponse();
  const streamed = await limited.chat.completions.create({ ...request, stream: true }).withResponse();
  for await (const chunk of streamed.data) assert.equal(chunk.id, 'c');
  const failed = await raisedBy(ask(limited));
  for (const headers of [whole.headers, streamed.response.headers, failed.headers]) {
    for (const [of, limit] of [['requests', 1000], ['tokens', 1_000_000]]) {
      assert.equal(Number(headers.get(`x-ratelimit-limit-${of}`)), limit);
      const remaining = headers.get(`x-ratelimit-remaining-${of}`);
      assert.ok(/^\d+$/.test(remaining) && Number(remaining) < limit, remaining);
      assert.ok(millisOf(headers.get(`x-ratelimit-reset-${of}`)) > 0);
    }
  }
  const { response: free } = await clientOf(gateway).chat.completions.create(request).withResponse();
  for (const of of ['requests', 'tokens']) {
    const told = ['limit', 'remaining', 'reset'].map((what) => free.headers.get(`x-ratelimit-${what}-${of}`));
    assert.deepEqual(told, [UNLIMITED, UNLIMITED, '0s']);
  }
});

for (const [limits, span] of [
  // One of so many comes back in this time.
  [{ requests_per_minute: 5000 }, '12ms'],
  [{ requests_per_day: 240 }, '6m0s'],
]) {
  test(`${span} is written as OpenAI writes it`, async () => {
    upstream.answers.push(answer());
    const client = clientOf(gateway, { apiKey: await keyOf({ limits }) });
    const { response } = await client.chat.completions.create(request).withResponse();
    assert.equal(response.headers.get('x-ratelimit-reset-requests'), span);
  });
}
