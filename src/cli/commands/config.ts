import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import { explainVariable } from '../../core/site/explain.ts';
import type { Site } from '../../core/site/load.ts';
import type { Scope } from '../../core/site/variables.ts';
import { configText, explainedText } from '../../report/config-text.ts';
import { makeRedactor } from '../../report/redact.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { loadSite } from '../site.ts';

/** `config get VAR`: its value on every host or one, and with `--explain` every layer that sets it. Asks no node. */
export async function run({ args, options: raw, output }: Invocation): Promise<ExitCode> {
  const [action = '', name = ''] = args;
  if (action !== 'get') {
    throw badInput('unknown-command', `config: there is no ${action}`, 'deploy config get VARIABLE shows a variable');
  }
  const options = changeOptions(raw);
  const { site } = await loadSite(options, output);
  const scopes = chosenScopes(site, typeof raw.host === 'string' ? raw.host : undefined);
  if (!scopes.some((scope) => scope.has(name))) throw unknownVariable(site, scopes, name);
  const found = explainVariable(scopes, name, makeRedactor(site.secretValues()));
  if (output.json) output.data({ name, values: found });
  else output.line(raw.explain === true ? explainedText(found) : configText(found));
  return exitCode.ok;
}

function chosenScopes(site: Site, host: string | undefined): readonly Scope[] {
  const hosts = [...site.inventory.hosts.keys()];
  if (host === undefined) return hosts.map((one) => site.scope(one));
  if (hosts.includes(host)) return [site.scope(host)];
  throw badInput('unknown-host', `host ${host} is not in the inventory`, didYouMean(host, hosts));
}

function unknownVariable(site: Site, scopes: readonly Scope[], name: string): DeployError {
  const elsewhere = [...site.inventory.hosts.keys()].filter((host) => site.scope(host).has(name));
  if (elsewhere.length > 0) {
    const [scope] = scopes;
    return badInput(
      'undefined-variable',
      `variable ${name} is not set for ${scope?.host}`,
      `it is for ${elsewhere.join(', ')}`,
    );
  }
  const names = new Set(scopes.flatMap((scope) => scope.names()));
  return badInput('undefined-variable', `variable ${name} is not defined`, didYouMean(name, names));
}

function badInput(code: string, message: string, hint: string | undefined): DeployError {
  return new DeployError([error(code, message, { hint })], exitCode.badInput);
}
