import http from 'node:http';
import { json, text } from 'node:stream/consumers';

/** An answer of the engine that is not a success. */
export interface EngineFailure extends Error {
  readonly statusCode: number;
}

export function isEngineFailure(problem: unknown): problem is EngineFailure {
  return problem instanceof Error && 'statusCode' in problem && typeof problem.statusCode === 'number';
}

/** The engine's own words without dockerode's frame around them. */
export function engineWords(problem: EngineFailure): string {
  const json = 'json' in problem ? problem.json : undefined;
  const message = json !== null && typeof json === 'object' && 'message' in json ? String(json.message) : undefined;
  return message ?? problem.message.replace(/^\(HTTP code \d+\) /, '').trim();
}

/** One GET over the agent's connections; rejects with an EngineFailure, shaped as dockerode's, for any other status than 200. */
export async function getJson(request: {
  readonly agent: http.Agent;
  readonly path: string;
  readonly signal: AbortSignal;
}): Promise<unknown> {
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ host: 'engine.invalid', ...request }, resolve).on('error', reject);
  });
  const statusCode = answer.statusCode ?? 0;
  if (statusCode === 200) return json(answer);
  const words = await text(answer);
  throw Object.assign(new Error(words.trim() || `HTTP status ${statusCode}`), { statusCode, json: parsed(words) });
}

function parsed(words: string): unknown {
  try {
    return JSON.parse(words);
  } catch {
    return undefined;
  }
}
