// Reads {root, key} from stdin, makes each journey at 4minds and OpenMind, prints {name, found} or {name, fault}, a line each.

import { text } from 'node:stream/consumers';
import { OpenAI, failureOf } from './seen.mjs';

const { root, key } = JSON.parse(await text(process.stdin));
const { toFile } = OpenAI;
const TRAINING = '{"messages":[]}\n';
const client = at('/4minds/v1');

function at(base) {
  return new OpenAI({ baseURL: root + base, apiKey: key, maxRetries: 0, timeout: 20_000 });
}

async function upload(name = 'training.jsonl', members = {}) {
  return client.files.create({ file: await toFile(Buffer.from(TRAINING), name), purpose: 'fine-tune', ...members });
}

async function all(pages) {
  const ids = [];
  for await (const one of pages) ids.push(one.id);
  return ids;
}

async function refusal(promise) {
  return promise.then(() => null, (error) => failureOf(error));
}

const journeys = {
  async files() {
    const made = await upload('äö.jsonl');
    const found = await client.files.retrieve(made.id);
    const listed = (await all(client.files.list())).includes(made.id);
    const gone = await client.files.delete(made.id);
    return { filename: found.filename, bytes: found.bytes, listed, deleted: gone.deleted, again: await refusal(client.files.retrieve(made.id)) };
  },

  async field() {
    const made = await upload('x.jsonl', { '4minds': { dataset_name: 'From Node', model_params: { learning_rate: 0.5 } } });
    const dataset = await client.get(`/datasets/${made.dataset_id}`);
    return dataset.name;
  },

  async jobs() {
    const file = await upload();
    const job = await client.fineTuning.jobs.create({ model: 'Gemma-12B AWQ', training_file: file.id });
    let seen = job;
    for (let poll = 0; poll < 10 && seen.status !== 'succeeded'; poll += 1) seen = await client.fineTuning.jobs.retrieve(job.id);
    const listed = (await all(client.fineTuning.jobs.list())).includes(job.id);
    const second = await client.fineTuning.jobs.create({ model: 'Gemma-12B AWQ', training_file: file.id });
    const cancelled = await client.fineTuning.jobs.cancel(second.id);
    const answer = await client.chat.completions.create({ model: seen.fine_tuned_model, messages: [{ role: 'user', content: 'Hello' }] });
    const gone = await client.models.delete(seen.fine_tuned_model);
    return { status: seen.status, listed, cancelled: cancelled.status, said: answer.choices[0].message.content, deleted: gone.deleted };
  },

  async stored() {
    const made = await client.chat.completions.create({ model: '4minds-model-123', messages: [{ role: 'user', content: 'Hello' }], store: true });
    const found = await client.chat.completions.retrieve(made.id);
    const listed = (await all(client.chat.completions.list())).includes(made.id);
    const changed = await client.chat.completions.update(made.id, { metadata: { run: '8' } });
    const messages = await all(client.chat.completions.messages.list(made.id));
    const gone = await client.chat.completions.delete(made.id);
    return { same: found.id === made.id, listed, metadata: changed.metadata, messages: messages.length > 0, deleted: gone.deleted };
  },

  async speech() {
    const answer = await at('/v1').audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Hello there', response_format: 'wav' });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return { type: answer.headers.get('content-type'), head: bytes.subarray(0, 4).toString('latin1'), some: bytes.length > 1000 };
  },

  async transcription() {
    const spoken = await at('/v1').audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Hello', response_format: 'wav' });
    const file = await toFile(Buffer.from(await spoken.arrayBuffer()), 'hello.wav');
    const answer = await at('/v1').audio.transcriptions.create({ model: 'whisper-1', file });
    return answer.text.startsWith('heard');
  },
};

for (const [name, journey] of Object.entries(journeys)) {
  const outcome = await journey().then((found) => ({ found }), (error) => ({ fault: String(error.stack) }));
  console.log(JSON.stringify({ name, ...outcome }));
}
