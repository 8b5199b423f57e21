import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../lab/command.ts';
import { NODES, type NodeName } from '../lab/settings.ts';
import { deploy, lookOnly, onNode } from './bench-lab.ts';
import { loadLine, secondsLine, spread, timed } from './figures.ts';

const runs = 12;
const countedRuns = 5;

/** The whole process, beside what starting it costs and what starting node costs. */
export async function benchLook(): Promise<void> {
  console.log(`\nThe look that finds nothing to do, three nodes, whole process\n${loadLine()}`);
  const look: number[] = [];
  const help: number[] = [];
  const bare: number[] = [];
  await lookOnly();
  for (let i = 0; i < runs; i++) {
    look.push(await timed(() => lookOnly()));
    help.push(await timed(() => deploy(['--help'])));
    bare.push(await timed(() => must(process.execPath, ['-e', '0'])));
  }
  console.log(secondsLine('deploy reconfigure, nothing to do', look));
  console.log(secondsLine('deploy --help', help));
  console.log(secondsLine('node -e 0', bare));
  console.log(loadLine());
}

const columns = ['connections', 'sessions', 'forwards', 'engineCalls', 'roundTrips', 'bytes'] as const;
type Counters = Readonly<Record<(typeof columns)[number], number>>;

/**
 * What the transport counted in one run of the real process, which writes it to the file DEPLOY_COUNTERS names.
 * Round trips are turns on the TCP socket: answers that came after something had been sent.
 */
async function countersOfLook(): Promise<Readonly<Record<NodeName, Counters>>> {
  const folder = mkdtempSync(join(tmpdir(), 'deploy-bench-'));
  try {
    const file = join(folder, 'counters.json');
    await lookOnly([], { DEPLOY_COUNTERS: file });
    return JSON.parse(readFileSync(file, 'utf8')) as Record<NodeName, Counters>;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Round trips vary by one or two with how answers fall into segments: hence several looks, and their range. */
async function printCosts(title: string): Promise<void> {
  const looks: Readonly<Record<NodeName, Counters>>[] = [];
  for (let i = 0; i < countedRuns; i++) looks.push(await countersOfLook());
  console.log(`  ${title} (${countedRuns} looks)`);
  console.log(`  ${''.padEnd(8)}${columns.map((name) => name.padStart(15)).join('')}`);
  for (const { name } of NODES) {
    const cells = columns.map((column) => range(looks.map((counters) => counters[name][column])).padStart(15));
    console.log(`  ${name.padEnd(8)}${cells.join('')}`);
  }
}

function range(values: readonly number[]): string {
  const { min, max } = spread(values);
  return min === max ? String(min) : `${min}-${max}`;
}

const crowded: NodeName = 'node2';
const extraContainers = 20;
const extraFiles = 50;

async function crowd(): Promise<void> {
  const image = await onNode(crowded, "docker inspect --format '{{.Config.Image}}' magnum_api");
  await onNode(crowded, `for i in $(seq ${extraContainers}); do docker create --name bench-x-$i ${image} true; done`);
  const write = `for i in $(seq ${extraFiles}); do echo "option = $i" >/etc/kolla/bench-x/$i.conf; done`;
  await onNode(crowded, `mkdir -p /etc/kolla/bench-x && ${write}`);
}

async function uncrowd(): Promise<void> {
  await onNode(crowded, 'docker ps -aq --filter name=^bench-x- | xargs -r docker rm; rm -rf /etc/kolla/bench-x');
}

/** What one look costs on each node, and the same look with more containers and files on one of them. */
export async function benchCost(): Promise<void> {
  console.log('\nWhat the look costs, counted in the transport (connections: TCP and SSH; bytes: both directions)');
  await uncrowd();
  const containers = await onNode(crowded, 'docker ps -aq | wc -l');
  const files = await onNode(crowded, 'find /etc/kolla -type f | wc -l');
  await printCosts(`${crowded} with ${containers} containers and ${files} files`);
  try {
    await crowd();
    await printCosts(`${crowded} with ${extraContainers} containers and ${extraFiles} files more`);
  } finally {
    await uncrowd();
  }
}
