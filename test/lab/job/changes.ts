import { LabError, lastLines, waitFor } from '../command.ts';
import { nodeExec } from '../nodes.ts';
import type { Lab } from '../raise.ts';
import { NODES } from '../settings.ts';
import { deploy } from './deploy-command.ts';
import { type LabState, labState, stateDifferences } from './node-state.ts';

/** A change of the lab that can be made again and again: every turn brings it to the other one of two states. */
export interface Change {
  readonly title: string;
  /** Arguments of the command in an even and in an odd turn. */
  args(turn: number): readonly string[];
  /** Makes all of the turn's work necessary, so that every kind of step is in it. */
  prepare(turn: number): Promise<void>;
  /** Leaves the lab as its own files describe it. */
  rest(lab: Lab): Promise<void>;
}

const plain = ['--tags', 'heat,loadbalancer,rabbitmq', '--skip-tags', 'common', '--yes'];
const firstOnly = ['--limit', 'node1'];
const other = ['-e', 'heat_api_cfn_workers=2'];

/** Markers of what was ensured or loaded: without them it is ensured and loaded again. */
const ensured = ['databases.heat', 'identity.heat', 'messaging.rabbitmq'];

/** The load balancers that run have loaded something else: they are told to load what there is. */
const stale = `id=$(docker inspect -f '{{.Id}}' haproxy) && printf '"%s stale"' "$id" >loaded.haproxy`;

/** One small service is replaced on three nodes; databases, accounts and load balancers are gone through once more. */
export const reconfigureHeat: Change = {
  title: 'reconfigure of Heat, the load balancers and the accounts',
  args: (turn) => ['reconfigure', ...plain, ...(turn % 2 === 0 ? other : [])],
  prepare: () => onAllNodes(`cd /etc/kolla/.deploy/markers && rm -f ${ensured.join(' ')} && ${stale}`),
  rest: (lab) => must(lab, ['reconfigure', ...plain]),
};

/** The same on the first node alone, where all that concerns a whole service is done: few seconds, every kind of step. */
export const reconfigureFirstNode: Change = {
  title: 'reconfigure of the first node',
  args: (turn) => [...reconfigureHeat.args(turn), ...firstOnly],
  prepare: reconfigureHeat.prepare,
  rest: (lab) => must(lab, ['reconfigure', ...plain]),
};

const magnumImages = ['magnum-api', 'magnum-conductor'] as const;
const magnum = ['upgrade', '--tags', 'magnum', '--skip-tags', 'common', '--yes'];

/** `upgrade --tags magnum` between two images of one release; pulls and migrations are real in every turn. */
export async function upgradeMagnum(): Promise<Change> {
  const repositories = await Promise.all(magnumImages.map(repositoryOf));
  const tags = ['fault1', 'fault2'];
  for (const { repository, tag } of repositories) {
    for (const one of tags) {
      const image = `${repository}:${one}`;
      const file = `FROM ${repository}:${tag}\\nLABEL fault=${one}-${Date.now()}\\n`;
      await onNode('node1', `printf '${file}' | docker build -q -t ${image} - && docker push -q ${image}`);
    }
  }
  const removed = (which: readonly string[]): string =>
    repositories.flatMap(({ repository }) => which.map((one) => `docker rmi ${repository}:${one} || true`)).join('; ');
  const next = (turn: number): string => tags[turn % 2] ?? '';
  return {
    title: 'upgrade --tags magnum between two images',
    args: (turn) => [...magnum, '-e', `magnum_tag=${next(turn)}`],
    prepare: (turn) => onAllNodes(removed([next(turn)])),
    rest: async (lab) => {
      await must(lab, magnum);
      await onAllNodes(removed(tags));
    },
  };
}

async function repositoryOf(image: string): Promise<{ readonly repository: string; readonly tag: string }> {
  const used = await onNode('node1', `docker inspect -f '{{.Config.Image}}' ${image.replace('-', '_')}`);
  const [, repository = '', tag = ''] = /^(.*):([^:/]+)$/.exec(used) ?? [];
  return { repository, tag };
}

/** What undisturbed runs of a change leave behind, by turn, and the run of the next turn. */
export class Turns {
  readonly change: Change;
  readonly #lab: Lab;
  readonly #undisturbed: LabState[] = [];
  #turn = 0;

  constructor(lab: Lab, change: Change) {
    this.#lab = lab;
    this.change = change;
  }

  get args(): readonly string[] {
    return this.change.args(this.#turn);
  }

  /** Makes the next turn necessary; before it, two undisturbed ones show what every later one has to come to. */
  async prepare(): Promise<void> {
    while (this.#undisturbed.length < 2) {
      await this.change.prepare(this.#turn);
      await must(this.#lab, this.args);
      this.#undisturbed.push(await labState());
      this.#turn += 1;
    }
    await this.change.prepare(this.#turn);
  }

  /** What still differs from an undisturbed run of this turn, once all servers are up; then it is the next one's. */
  async differences(): Promise<readonly string[]> {
    const wanted = this.#undisturbed[this.#turn % 2];
    this.#turn += 1;
    if (wanted === undefined) throw new LabError('no undisturbed run was made before');
    let left: readonly string[] = [];
    await waitFor(
      async () => {
        left = stateDifferences(wanted, await labState());
        return left.length === 0;
      },
      90_000,
      1_000,
    );
    return left;
  }
}

async function must(lab: Lab, args: readonly string[]): Promise<void> {
  const ran = await deploy(lab, args);
  if (ran.code === 0) return;
  throw new LabError(
    `${ran.command} ended with ${ran.code}:\n${lastLines(ran.stdout, 20)}\n${lastLines(ran.stderr, 20)}`,
  );
}

async function onNode(node: 'node1', command: string): Promise<string> {
  const ran = await nodeExec(node, command);
  if (ran.code !== 0) throw new LabError(`${node}: ${lastLines(ran.stderr, 8)}`);
  return ran.stdout.trim();
}

async function onAllNodes(command: string): Promise<void> {
  await Promise.all(NODES.map(({ name }) => nodeExec(name, command)));
}
