// Reads {root, key, texts} from stdin, makes each journey, prints {name, found} or {name, fault}, a line each.

import { text } from 'node:stream/consumers';
import { OpenAI, ask, failureOf } from './seen.mjs';

const { root, key, texts, dialects, tool, call } = JSON.parse(await text(process.stdin));
const MODELS = Object.values(dialects);
const client = sdk();

function sdk(base = '/v1', options = {}) {
  return new OpenAI({ baseURL: root + base, apiKey: key, maxRetries: 0, timeout: 10_000, ...options });
}

async function say(sdk, model, content = 'Hello there', how = 'whole', members = {}) {
  const { text, failure } = await ask(sdk, { model, how, asked: content, members });
  return failure ?? text;
}

async function refusal(promise) {
  return promise.then(() => null, (error) => failureOf(error));
}

const journeys = {
  async models() {
    const listed = [];
    for await (const one of client.models.list()) listed.push(one.id);
    const retrieved = [];
    for (const id of listed) retrieved.push((await client.models.retrieve(id)).id);
    return { listed, retrieved };
  },

  async unknown_models() {
    const names = ['nope', 'local/nope', 'org/nope:v1', 'no such name', 'ünknown/🎉'];
    return Promise.all(names.map((name) => refusal(client.models.retrieve(name))));
  },

  async deletions() {
    const found = [];
    for (const name of ['org/model:v1', 'name with space']) {
      const { id, object, deleted } = await client.models.delete(name);
      found.push({ id, object, deleted, again: await refusal(client.models.delete(name)) });
    }
    return [...found, await refusal(client.models.delete('sim-gpt')), await refusal(client.models.delete('sales_mind'))];
  },

  async base_urls() {
    const bases = ['/v1', '/v1/', '', '/', '/v1/v1', '/openmind/v1', '/openmind/v1/', '/openmind', '/openmind/'];
    const found = {};
    for (const base of bases) found[base] = await say(sdk(base), 'gpt-4o', 'Hello there', 'streamed');
    return found;
  },

  async pins() {
    const pinned = (upstream) => sdk('/v1', { defaultHeaders: { 'x-mindgate-upstream': upstream } });
    return [await say(pinned('local'), 'sim-gpt-sim-burst'), (await say(pinned('4minds'), 'sim-gpt')).code];
  },

  async carriers() {
    const found = {};
    for (const name of ['x-api-key', 'api-key']) {
      const other = sdk('/v1', { apiKey: 'unused', defaultHeaders: { Authorization: null, [name]: key } });
      found[name] = await say(other, 'gpt-4o', 'Hello there', 'streamed');
    }
    return found;
  },

  async wrong_key() {
    const other = sdk('/v1', { apiKey: 'sk-wrong' });
    const chats = ['whole', 'streamed', 'by the helper'].map((how) => say(other, 'gpt-4o', 'Hello there', how));
    return Promise.all([refusal(other.models.list()), ...chats]);
  },

  async conversations() {
    const found = {};
    for (const model of MODELS) {
      const messages = [{ role: 'user', content: `call ${call[0]} ${call[1]}` }];
      const answer = await client.chat.completions.create({ model, messages, tools: [tool] });
      const [{ message }] = answer.choices;
      messages.push(message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: '{"sunny":true}' });
      messages.push({ role: 'user', content: 'So?' });
      const stream = client.chat.completions.stream({ model, messages });
      let heard = '';
      stream.on('content', (delta) => (heard += delta));
      await stream.done();
      found[model] = [answer.choices[0].finish_reason, message.tool_calls[0].function, heard];
    }
    return found;
  },

  async side_by_side() {
    const talk = async (number) => {
      const model = MODELS[number % MODELS.length];
      const said = [];
      for (const step of [0, 1, 2]) said.push(await say(client, model, `this is ${number} saying ${step}`, 'streamed'));
      return said;
    };
    return Promise.all(Array.from({ length: 40 }, (_, number) => talk(number)));
  },

  async texts() {
    const asks = MODELS.flatMap((model) => texts.flatMap((one) => ['whole', 'streamed'].map((how) => [model, one, how])));
    const heard = await Promise.all(asks.map(async ([model, one, how]) => (await say(client, model, one, how)) === `echo: ${one}`));
    return asks.filter((_, place) => !heard[place]);
  },

  async half_an_emoji() {
    return Promise.all(['whole', 'streamed'].map(async (how) => (await say(client, 'local/sim-gpt', 'a \ud83d b', how)) === 'echo: a \ud83d b'));
  },

  async ids() {
    const request = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello there' }] };
    const { data, response, request_id } = await client.chat.completions.create(request).withResponse();
    const streamed = await client.chat.completions.create({ ...request, stream: true }).withResponse();
    for await (const _ of streamed.data);
    return {
      same: [data._request_id, response.headers.get('x-request-id'), request_id].every((id) => id && id === request_id),
      streamed: Boolean(streamed.request_id) && streamed.request_id !== request_id,
      upstream: response.headers.get('x-mindgate-upstream'),
      type: streamed.response.headers.get('content-type'),
    };
  },

  async retries() {
    const patient = new OpenAI({ baseURL: `${root}/v1`, apiKey: key });
    const words = ['status-401', 'quota', 'status-409', 'status-500', 'status-503', 'rate-3600', 'status-500-first-1'];
    const names = ['openmind/gpt-4o', 'local/sim-gpt'].flatMap((name) => words.map((word) => `${name}-sim-${word}-burst`));
    const found = await Promise.all(names.map((name) => say(patient, name)));
    return Object.fromEntries(names.map((name, place) => [name, found[place].status ?? found[place]]));
  },

  async leaving() {
    const controller = new AbortController();
    const stream = await client.chat.completions.create(
      { model: 'openmind/gpt-4o-sim-tokens-1000-gap-20', messages: [{ role: 'user', content: 'Hello' }], stream: true },
      { signal: controller.signal },
    );
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) controller.abort();
    return [chunks >= 3, await say(client, 'gpt-4o')];
  },
};

for (const [name, journey] of Object.entries(journeys)) {
  const outcome = await journey().then((found) => ({ found }), (error) => ({ fault: String(error.stack) }));
  console.log(JSON.stringify({ name, ...outcome }));
}
