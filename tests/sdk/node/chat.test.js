// Chat and text completions, tools, structured output, embeddings and models.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { clientOf, start } from './support/gateway.js';

const client = clientOf(await start({ after }));
const model = 'simulator';
const messages = [{ role: 'user', content: 'Hello' }];

const collect = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};
const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

test('a completion has text, a reason and usage', async () => {
  const completion = await client.chat.completions.create({ model, messages });
  assert.ok(completion.choices[0].message.content);
  assert.equal(completion.choices[0].finish_reason, 'stop');
  const { prompt_tokens, completion_tokens, total_tokens } = completion.usage;
  assert.ok(prompt_tokens > 0 && completion_tokens > 0);
  assert.equal(total_tokens, prompt_tokens + completion_tokens);
});

test('a stream says what the whole answer says', async () => {
  const whole = await client.chat.completions.create({ model, messages });
  const chunks = await collect(await client.chat.completions.create({ model, messages, stream: true }));
  assert.ok(chunks.length > 10);
  assert.equal(textOf(chunks), whole.choices[0].message.content);
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
  assert.ok(chunks.every((chunk) => !('usage' in chunk)));
});

test('usage is in the stream of who asks for it', async () => {
  const whole = await client.chat.completions.create({ model, messages });
  const options = { stream: true, stream_options: { include_usage: true } };
  const chunks = await collect(await client.chat.completions.create({ model, messages, ...options }));
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.deepEqual(chunks.at(-1).usage, whole.usage);
  assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
});

test('the stream helper builds the whole answer', async () => {
  const whole = await client.chat.completions.create({ model, messages });
  const stream = client.chat.completions.stream({ model, messages });
  let deltas = 0;
  stream.on('content', () => (deltas += 1));
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.content, whole.choices[0].message.content);
  assert.ok(deltas > 10);
});

test('n choices come with their numbers', async () => {
  const completion = await client.chat.completions.create({ model, messages, n: 3 });
  assert.deepEqual(completion.choices.map((choice) => choice.index), [0, 1, 2]);
});

const Weather = z.object({ city: z.string(), days: z.number().int() });

test('the tools runner calls the tool and comes to an end', async () => {
  const calls = [];
  const tool = zodFunction({
    name: 'get_weather',
    parameters: Weather,
    function: (asked) => {
      calls.push(asked);
      return 'rain';
    },
  });
  const runner = client.chat.completions.runTools({
    model,
    messages: [{ role: 'user', content: 'Use get_weather for Basel.' }],
    tools: [tool],
  });
  assert.ok(await runner.finalContent());
  assert.equal(calls.length, 1);
  assert.ok(Weather.safeParse(calls[0]).success);
});

test('streamed tool calls add up', async () => {
  const tools = [{ type: 'function', function: { name: 'look', parameters: z.toJSONSchema(Weather) } }];
  const ask = { model, messages, tools, tool_choice: 'required' };
  const whole = await client.chat.completions.create(ask);
  const final = await client.chat.completions.stream(ask).finalChatCompletion();
  assert.equal(final.choices[0].finish_reason, 'tool_calls');
  const [call] = final.choices[0].message.tool_calls;
  assert.equal(call.function.name, 'look');
  assert.equal(call.function.arguments, whole.choices[0].message.tool_calls[0].function.arguments);
});

test('structured output is parsed', async () => {
  const Reach = z.object({ name: z.string(), kind: z.enum(['river', 'brook']), source: z.string().nullable() });
  const completion = await client.chat.completions.parse({
    model,
    messages,
    response_format: zodResponseFormat(z.object({ reaches: z.array(Reach) }), 'stream'),
  });
  assert.ok(Array.isArray(completion.choices[0].message.parsed.reaches));
});

test('text completions, whole and streamed', async () => {
  const whole = await client.completions.create({ model, prompt: 'Once' });
  const chunks = await collect(await client.completions.create({ model, prompt: 'Once', stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(''), whole.choices[0].text);
});

test('both encodings of an embedding hold the same numbers', async () => {
  // The client asks for base64 by itself and turns it into floats.
  const byDefault = await client.embeddings.create({ model, input: 'a river' });
  const floats = await client.embeddings.create({ model, input: 'a river', encoding_format: 'float' });
  assert.equal(byDefault.data[0].embedding.length, 1536);
  assert.deepEqual(byDefault.data[0].embedding.map(Math.fround), floats.data[0].embedding.map(Math.fround));
});

test('models are listed and found, also with a slash in the name', async () => {
  const names = (await collect(client.models.list())).map((listed) => listed.id);
  assert.ok(names.includes('simulator') && names.includes('simulator/fast'));
  assert.equal((await client.models.retrieve('simulator/fast')).id, 'simulator/fast');
});
