// Reads {root, key, cases} from stdin, asks every case, prints {place, seen} or {place, fault}, a line each.

import { text } from 'node:stream/consumers';
import { OpenAI, ask } from './seen.mjs';

const AT_ONCE = 8;
const { root, key, cases } = JSON.parse(await text(process.stdin));
const client = new OpenAI({ baseURL: `${root}/v1`, apiKey: key, maxRetries: 0, timeout: 10_000 });
const waiting = cases.values();

async function work() {
  for (const one of waiting) {
    const outcome = await ask(client, one).then((seen) => ({ seen }), (error) => ({ fault: String(error.stack) }));
    console.log(JSON.stringify({ place: one.place, ...outcome }));
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work));
