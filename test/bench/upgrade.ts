import { LabError, must, waitFor } from '../lab/command.ts';
import { labFiles } from '../lab/files.ts';
import { NODES, VIP } from '../lab/settings.ts';
import { deploy, lookOnly, onNode } from './bench-lab.ts';
import { loadLine, secondsLine, spread, timed } from './figures.ts';
import { inspect, magnumContainers, shellUpgrade, type Wait } from './shell-upgrade.ts';

const rounds = 3;
const port = 9511;
const builder = 'node1';
const select = ['--tags', 'magnum', '--skip-tags', 'common'];

/** Tags and images that no earlier run can have left, so that every pull and every migration is a real one. */
async function makeTags(original: string, count: number): Promise<string[]> {
  const stamp = Date.now();
  const tags = Array.from({ length: count }, (_, i) => `${original}-bench${i + 1}`);
  for (const container of magnumContainers) {
    const { Config } = await inspect(builder, container);
    const repository = Config.Image.replace(/:[^:/]*$/, '');
    for (const tag of tags) {
      const file = `FROM ${repository}:${original}\\nLABEL bench=${tag}-${stamp}\\n`;
      const image = `${repository}:${tag}`;
      await onNode(builder, `printf '${file}' | docker build -q -t ${image} - && docker push -q ${image}`);
      // Pulled again by both ways, as on the other nodes.
      await onNode(builder, `docker rmi ${image}`);
    }
  }
  return tags;
}

async function answers(address: string, path: string): Promise<boolean> {
  try {
    return (await fetch(`http://${address}:${port}${path}`, { signal: AbortSignal.timeout(3_000) })).ok;
  } catch {
    return false;
  }
}

/** Every API by itself and through the load balancer; then a moment for what still starts, so that all begin alike. */
async function settled(tag: string): Promise<void> {
  const everywhere = async (): Promise<boolean> => {
    const all = await Promise.all(NODES.map(({ address }) => answers(address, '/healthcheck')));
    return all.every(Boolean) && (await answers(VIP, '/'));
  };
  if (!(await waitFor(everywhere, 60_000, 500))) throw new LabError(`Magnum ${tag} does not answer through ${VIP}`);
  for (const { name } of NODES) {
    for (const container of magnumContainers) {
      const { Config } = await inspect(name, container);
      if (!Config.Image.endsWith(`:${tag}`)) throw new LabError(`${container} on ${name} runs ${Config.Image}`);
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 8_000));
}

async function byShell(tag: string, wait: Wait): Promise<number> {
  const { privateKey, knownHosts } = labFiles();
  const script = await shellUpgrade(
    tag,
    `ssh -n -F none -i '${privateKey}' -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile='${knownHosts}'`,
    wait,
  );
  return timed(() => must('sh', ['-s'], { input: script, timeoutMs: 300_000 }));
}

function byDeploy(tag: string): Promise<number> {
  return timed(() => deploy(['upgrade', ...select, '-e', `magnum_tag=${tag}`, '--yes']));
}

const ways = {
  deploy: { title: 'deploy upgrade --tags magnum', upgrade: byDeploy },
  answers: { title: 'shell script, waits for each API', upgrade: (tag: string) => byShell(tag, 'answers') },
  haproxy: { title: "the same, and for HAProxy's own checks", upgrade: (tag: string) => byShell(tag, 'haproxy') },
} as const;

type Way = keyof typeof ways;

/** How much of the scripts' time ours may take. */
const goals = { answers: 1.15, haproxy: 0.8 } as const;

/** `deploy upgrade --tags magnum` beside shell scripts that only do the docker commands, in turns. */
export async function benchUpgrade(): Promise<void> {
  const { Config } = await inspect(builder, 'magnum_api');
  const original = Config.Image.replace(/^.*:/, '').replace(/-bench\d+$/, '');
  console.log(`\nUpgrade of Magnum on three nodes, from image to image of ${original}, in turns\n${loadLine()}`);
  const order = Object.keys(ways) as Way[];
  const tags = await makeTags(original, rounds * order.length);
  const taken: Record<Way, number[]> = { deploy: [], answers: [], haproxy: [] };
  try {
    for (const [i, tag] of tags.entries()) {
      // Which of them begins changes from round to round.
      const way = order[(i + Math.floor(i / order.length)) % order.length] ?? 'deploy';
      const seconds = await ways[way].upgrade(tag);
      taken[way].push(seconds);
      console.log(`  ${tag}: ${way.padEnd(8)} ${seconds.toFixed(2)} s`);
      await settled(tag);
    }
  } finally {
    await deploy(['upgrade', ...select, '-e', `magnum_tag=${original}`, '--yes']);
    await settled(original);
    await lookOnly();
    await removeImages();
  }
  for (const way of order) console.log(secondsLine(ways[way].title, taken[way]));
  for (const [way, goal] of Object.entries(goals) as [keyof typeof goals, number][]) {
    const ratio = spread(taken.deploy).median / spread(taken[way]).median;
    console.log(`  ratio of the medians to "${way}": ${ratio.toFixed(2)} (goal at most ${goal})`);
  }
  console.log(loadLine());
}

async function removeImages(): Promise<void> {
  for (const { name } of NODES) {
    await onNode(
      name,
      "docker images --format '{{.Repository}}:{{.Tag}}' | grep -e '-bench[0-9]*$' | xargs -r docker rmi",
    );
  }
}
