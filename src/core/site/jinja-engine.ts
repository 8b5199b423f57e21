import { Environment } from 'minijinja-js';
import { addFilters, plainData } from './jinja-filters.ts';

/** What the engine made of a template: a value, nothing (a name without value), or a problem in its words. */
export type Outcome =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'undefined' }
  | { readonly kind: 'problem'; readonly message: string };

export interface Engine {
  /** The value of an expression with its own type; maps come with sorted keys. */
  expression(source: string, names: Readonly<Record<string, unknown>>): Outcome;
  /** The text of a template with statements. */
  template(source: string, names: Readonly<Record<string, unknown>>): Outcome;
}

const fuel = 1_000_000;

/**
 * The engine is WebAssembly and unforgiving: an exception in a filter, a call back into it from a filter, or an
 * exhausted stack breaks an environment for good (a new one is made then). So filters report instead of throwing, values are
 * evaluated before the engine is entered, and expressions are bounded before they get here.
 */
export function createEngine(): Engine {
  let reported: string | undefined;
  const fresh = (): Environment =>
    createEnvironment((problem) => {
      reported ??= problem;
    });
  let environment = fresh();
  const run = (call: () => unknown): Outcome => {
    reported = undefined;
    try {
      const value = call();
      if (reported === 'undefined value') return { kind: 'undefined' };
      if (reported !== undefined) return { kind: 'problem', message: reported };
      return { kind: 'value', value: value === undefined ? undefined : plainData(value) };
    } catch (cause) {
      const outcome = outcomeOf(cause, reported);
      if (outcome.kind === 'problem' && outcome.message === tooComplex) environment = fresh();
      return outcome;
    }
  };
  return {
    expression: (source, names) => {
      const outcome = run(() => environment.evalExpr(source, names));
      if (outcome.kind !== 'value' || outcome.value !== undefined) return outcome;
      // The engine returns nothing for both `none` and a name without value.
      const missing = run(() => environment.evalExpr(`(${source}) is undefined`, names));
      return missing.kind === 'value' && missing.value === true
        ? { kind: 'undefined' }
        : { kind: 'value', value: null };
    },
    template: (source, names) => run(() => environment.renderStr(source, names)),
  };
}

function createEnvironment(report: (problem: string) => void): Environment {
  const environment = new Environment();
  environment.debug = false;
  environment.undefinedBehavior = 'strict';
  environment.keepTrailingNewline = true;
  environment.enablePyCompat();
  environment.fuel = fuel;
  addFilters(environment, report);
  return environment;
}

const tooComplex = 'too complex, or its result too large';

function outcomeOf(cause: unknown, reported: string | undefined): Outcome {
  const words = cause instanceof Error ? `${cause.name} ${cause.message}` : String(cause);
  if (/^RuntimeError|^RangeError|string longer than|unsafe aliasing/.test(words)) {
    return { kind: 'problem', message: tooComplex };
  }
  if (reported !== undefined) return { kind: 'problem', message: reported };
  const [line = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  const message = line.replace(/ \(in <(?:expression|string)>:\d+\)$/, '');
  return message.startsWith('undefined value') ? { kind: 'undefined' } : { kind: 'problem', message };
}
