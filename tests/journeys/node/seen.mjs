// The eyes of the Node SDK: one chat, asked whole, streamed or by the `.stream()` helper, as the `Seen` of sdk_cases.py.

const generation = Number.parseInt(process.versions.node) >= 22 ? 'openai-7' : 'openai-6';
export const { default: OpenAI } = await import(generation);
const usual = { include_usage: true };

export async function ask(client, { model, how, asked, members }) {
  const request = { model, messages: [{ role: 'user', content: asked }], ...members };
  return { whole, streamed, 'by the helper': helped }[how](client, request);
}

async function whole(client, request) {
  try {
    return ofCompletion(await client.chat.completions.create(request));
  } catch (error) {
    return seen({ failure: failureOf(error) });
  }
}

async function streamed(client, request) {
  const chunks = [];
  try {
    const stream = await client.chat.completions.create({ ...request, stream: true, stream_options: usual });
    for await (const chunk of stream) chunks.push(chunk);
  } catch (error) {
    return ofChunks(chunks, failureOf(error));
  }
  return ofChunks(chunks);
}

async function helped(client, request) {
  try {
    const stream = client.chat.completions.stream({ ...request, stream_options: usual });
    return { ...ofCompletion(await stream.finalChatCompletion()), reasoning: '' };
  } catch (error) {
    return seen({ failure: failureOf(error) });
  }
}

function seen(members) {
  return {
    text: '', reasoning: '', calls: [], finish_reason: null, usage: null, statuses: 0, failure: null, ...members,
  };
}

export function failureOf(error) {
  if (!(error instanceof OpenAI.APIError)) throw error;
  if (error.status !== undefined && !error.requestID) throw new Error('an error without x-request-id', { cause: error });
  return { name: error.constructor.name, status: error.status ?? null, code: error.code ?? null };
}

function ofCompletion(completion) {
  if (completion.choices.length !== 1) throw new Error('not one choice');
  const [{ message, finish_reason }] = completion.choices;
  return seen({
    text: message.content ?? '',
    reasoning: message.reasoning_content ?? '',
    calls: (message.tool_calls ?? []).map((call) => [call.function.name, call.function.arguments]),
    finish_reason,
    usage: usageOf(completion.usage),
  });
}

function ofChunks(chunks, failure = null) {
  const found = seen({ failure });
  for (const chunk of chunks) {
    if ('4minds' in chunk) found.statuses += 1;
    if (chunk.usage) found.usage = only(found.usage, usageOf(chunk.usage));
    for (const { delta, finish_reason } of chunk.choices) {
      found.text += delta.content ?? '';
      found.reasoning += delta.reasoning_content ?? '';
      for (const call of delta.tool_calls ?? []) {
        const parts = (found.calls[call.index] ??= ['', '']);
        parts[0] += call.function?.name ?? '';
        parts[1] += call.function?.arguments ?? '';
      }
      if (finish_reason) found.finish_reason = only(found.finish_reason, finish_reason);
    }
  }
  return found;
}

function only(before, now) {
  if (before !== null) throw new Error(`a second ${JSON.stringify(now)}`);
  return now;
}

function usageOf(usage) {
  return usage ? [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens] : null;
}
