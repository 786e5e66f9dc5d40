// Streams one answer. Usage: npm install openai; WEIR_API_KEY=sk-weir-... npx tsx examples/typescript.ts [QUESTION]
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: process.env.WEIR_BASE_URL ?? "http://127.0.0.1:8080/v1",
  apiKey: process.env.WEIR_API_KEY,
});
const stream = await client.chat.completions.create({
  model: process.env.WEIR_MODEL ?? "simulator",
  messages: [{ role: "user", content: process.argv.slice(2).join(" ") || "Hello" }],
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  for (const choice of chunk.choices) process.stdout.write(choice.delta.content ?? "");
  if (chunk.usage) {
    const { prompt_tokens, completion_tokens } = chunk.usage;
    console.log(`\n${prompt_tokens} tokens in, ${completion_tokens} out`);
  }
}
