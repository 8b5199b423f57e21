import { join } from 'node:path';
import { selectImages } from '../../core/images/select.ts';
import { DeployError, type Diagnostic, exitCode, type Result, resultOf } from '../../core/model/diagnostic.ts';
import type { ContainerName, HostName } from '../../core/model/node.ts';
import { verbPolicy } from '../../core/plan/policy.ts';
import { type ResolvedRunbook, type RunbookSite, resolveRunbook } from '../../core/runbook/resolve.ts';
import { parseRunbook, type RunbookFile, type Vocabulary } from '../../core/runbook/runbook-file.ts';
import type { Stage } from '../../core/runbook/stage.ts';
import { readImages } from '../../edge/store/read-images.ts';
import { readRunbook } from '../../edge/store/read-runbook.ts';
import { commands } from '../commands/registry.ts';
import type { SelectionOptions } from '../options.ts';
import type { Output } from '../output.ts';
import { type LoadedSite, loadSite, programDirectory, selectTarget, type Target, unwrap } from '../site.ts';

export interface LoadedRunbook extends ResolvedRunbook {
  readonly text: string;
  readonly loaded: LoadedSite;
  /** What the stages select, by their names; of those that select something. */
  readonly targets: ReadonlyMap<string, Target>;
}

/** Taking things away is no step of a procedure that is carried out unattended. */
const notInStages = ['stop', 'destroy', 'plan'];

/** What stages may call: the commands that take a selection. */
export function stageVocabulary(): Vocabulary {
  const selecting = commands.filter(({ name, takes }) => takes.includes('selection') && !notInStages.includes(name));
  return { verbs: selecting.map(({ name }) => name), planned: Object.keys(verbPolicy) };
}

/** The runbook, read and checked against the site as far as that can be done without talking to a node. */
export async function loadRunbook(name: string, options: SelectionOptions, output: Output): Promise<LoadedRunbook> {
  const found = unwrap(await readRunbook(name, [options.configdir, programDirectory]), output, exitCode.badInput);
  const file = unwrap(parseRunbook(found.text, found.file, stageVocabulary()), output, exitCode.badInput);
  const loaded = await loadSite(options, output);
  const resolved = unwrap(resolveRunbook(file, runbookSite(loaded)), output, exitCode.badInput);
  const checked = await checkStages(file, resolved.stages, loaded, options, output);
  return { ...resolved, text: file.text, loaded, targets: unwrap(checked, output, exitCode.badInput) };
}

/** Expressions see the variables of the first host that holds anything; gates are asked from there. */
export function runbookSite({ site, services }: LoadedSite): RunbookSite {
  const containers = new Map<ContainerName, readonly HostName[]>(
    services.flatMap(({ definition }) =>
      Object.entries(definition.containers).map(
        ([name, { group }]) => [name, site.inventory.groups.get(group)?.hosts ?? []] as const,
      ),
    ),
  );
  const holding = new Set([...containers.values()].flat());
  const all = [...site.inventory.hosts.keys()];
  const host = all.find((candidate) => holding.has(candidate)) ?? all[0] ?? '';
  return { scope: site.scope(host), secrets: site.secretValues(), containers };
}

/** Tags, limits and images of all stages; what does not exist is told with its place in the runbook. */
async function checkStages(
  { document }: RunbookFile,
  stages: readonly Stage[],
  loaded: LoadedSite,
  options: SelectionOptions,
  output: Output,
): Promise<Result<ReadonlyMap<string, Target>>> {
  const definitions = unwrap(await readImages(join(programDirectory, 'services')), output, exitCode.badInput);
  const enabled = new Set(loaded.services.map((s) => s.definition.service));
  // Warnings are told by the stage itself.
  const quiet = { ...output, diagnostics: () => undefined };
  const targets = new Map<string, Target>();
  const problems: Diagnostic[] = [];
  for (const [i, stage] of stages.entries()) {
    if (stage.skipped) continue;
    const placed = (key: string) => (d: Diagnostic) =>
      d.at === undefined ? { ...d, at: document.spanAt(['stages', i, key]) } : d;
    if (stage.build) {
      const images = selectImages(stage.build.images, definitions, enabled);
      if (!images.ok) problems.push(...images.diagnostics.map(placed('build')));
    }
    if (!stage.pull && !stage.verb) continue;
    try {
      const { name, tags, skipTags, limit } = stage;
      targets.set(name, selectTarget(loaded, { ...options, tags, skipTags, limit }, quiet));
    } catch (cause) {
      if (!(cause instanceof DeployError)) throw cause;
      problems.push(...cause.diagnostics.map((d) => placed(keyOf(d, stage))(d)));
    }
  }
  return resultOf(targets, problems);
}

function keyOf({ message }: Diagnostic, stage: Stage): string {
  if (message.startsWith('--skip-tags')) return 'skip_tags';
  if (message.startsWith('--tags')) return 'tags';
  return stage.limit === undefined ? 'tags' : 'limit';
}
