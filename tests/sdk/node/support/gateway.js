// A running Weir in front of the simulator and of an upstream: started on free ports with its own data directory.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const BINARY = resolve(process.env.WEIR_BIN ?? join(ROOT, 'target/debug/weir'));
const START_MS = 30_000;

export const UPSTREAM_KEY = 'sk-of-the-upstream';

const config = (upstream, more) => `
[simulator]
words_per_second = 400

[[upstream]]
name = "simulator"
provider = "simulator"

[[upstream]]
name = "scripted"
provider = "openai"
base_url = "${upstream}"
api_key = "$UPSTREAM_KEY"
retries = 0

[[model]]
name = "simulator"
to = ["simulator"]

[[model]]
name = "simulator/*"
to = ["simulator"]

[[model]]
name = "scripted"
to = ["scripted"]

${more}`;

// Nobody listens there: for tests that need no upstream.
const NOWHERE = 'http://127.0.0.1:1/v1';

/** Starts a gateway, and stops it with the file's tests. `more` is added to its configuration. */
export async function start({ after, upstream = NOWHERE, more = '' }) {
  if (!existsSync(BINARY)) throw new Error(`no weir at ${BINARY}: run \`cargo build\`, or set WEIR_BIN`);
  const directory = await mkdtemp(join(tmpdir(), 'weir-'));
  await writeFile(join(directory, 'config.toml'), config(upstream, more));
  const place = ['--config', join(directory, 'config.toml'), '--data-dir', join(directory, 'data')];
  const child = spawn(
    BINARY,
    ['serve', '--listen', '127.0.0.1:0', '--control-listen', '127.0.0.1:0', ...place],
    // Only what is given: a key or a WEIR__ variable of whoever runs the tests must not change them.
    { cwd: directory, env: { PATH: process.env.PATH, UPSTREAM_KEY }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
  after(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(directory, { recursive: true, force: true });
  });
  const announced = await read(child.stdout);
  if (!announced.adminKey) throw new Error(`weir ended before it served:\n${log}`);
  return announced;
}

/** What it prints about itself, up to the admin key. */
async function read(stdout) {
  const found = {};
  const patterns = {
    url: /data plane +(\S+)/,
    controlUrl: /control plane +(\S+)/,
    key: /API key +(\S+)/,
    adminKey: /admin key +(\S+)/,
  };
  const lines = createInterface({ input: stdout, signal: AbortSignal.timeout(START_MS) });
  for await (const line of lines) {
    for (const [name, pattern] of Object.entries(patterns)) found[name] ??= line.match(pattern)?.[1];
    if (found.adminKey) break;
  }
  stdout.resume();
  return found;
}

/** A client of the gateway that tries once. */
export function clientOf(gateway, options = {}) {
  return new OpenAI({ baseURL: gateway.url, apiKey: gateway.key, maxRetries: 0, timeout: 30_000, ...options });
}

/** Follows what happens to calls: resolves once it misses nothing any more. */
export async function watch(gateway, deadlineMs) {
  const response = await fetch(`${gateway.controlUrl}/admin/events?kinds=request.*`, {
    headers: { authorization: `Bearer ${gateway.adminKey}` },
    signal: AbortSignal.timeout(deadlineMs),
  });
  const lines = linesOf(response.body);
  const { value } = await lines.next();
  if (value !== ': watching') throw new Error(`unexpected: ${value}`);
  return {
    /** How the call ended. */
    async endOf(requestId) {
      for await (const line of lines) {
        if (!line.startsWith('data: ')) continue;
        const event = JSON.parse(line.slice('data: '.length));
        if (event.request_id === requestId && event.type !== 'request.started') return event;
      }
      throw new Error('the gateway ended its events');
    },
  };
}

async function* linesOf(body) {
  let rest = '';
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    yield* lines;
  }
}
