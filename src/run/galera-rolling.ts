import { liveProblems } from '../core/galera/check.ts';
import { dataVersionFiles, dataVersionIn, parseDataVersion } from '../core/galera/state-files.ts';
import type { HostName } from '../core/model/node.ts';
import type { StepOf } from '../core/plan/steps.ts';
import { runToEnd } from './one-shot.ts';
import type { NodePort } from './ports.ts';
import { failed, type GaleraAnswer, type StepContext } from './step-context.ts';

const pauseMs = 1000;

/**
 * Asks all members, now: the plan may be minutes old. Waits while what is in the way changes, up to the patience of the
 * step; then nothing is touched.
 */
export async function checkCluster(step: StepOf<'galera-check'>, context: StepContext): Promise<string> {
  const { node, clients, clock, progress } = context;
  const started = clock.now();
  let told = '';
  for (;;) {
    const answers = await clients.askGalera(node, step.servers);
    const problems = problemsOf(answers, step);
    if (problems.length === 0) {
      if (step.marker) await node.writeMarker(step.marker.key, step.marker.value);
      return `${answers.filter(isLive).length} members, Synced`;
    }
    const words = problems.join('; ');
    if (words !== told) progress(`waiting: ${words}`);
    told = words;
    if (clock.now() - started >= step.patienceSeconds * 1000 || context.givenUp?.aborted) {
      const hint = 'no member is touched until it is: deploy mariadb status shows it, deploy mariadb recover mends it';
      throw failed(step, `the Galera cluster is not whole: ${words}`, hint);
    }
    await clock.sleep(pauseMs);
  }
}

type Live = Extract<GaleraAnswer['said'], { readonly cluster: string }>;

function isLive(answer: GaleraAnswer): answer is { readonly host: HostName; readonly said: Live } {
  return 'cluster' in answer.said;
}

function problemsOf(
  answers: readonly GaleraAnswer[],
  { members, alone }: Pick<StepOf<'galera-check'>, 'members' | 'alone'>,
): string[] {
  const live = answers.filter(isLive);
  const silent = answers.flatMap(({ host, said }) => ('why' in said ? [`${host}: ${said.why}`] : []));
  const histories = new Set(live.map(({ said }) => said.uuid));
  const size = Math.min(...live.map(({ said }) => said.clusterSize));
  return [
    ...live.flatMap(({ host, said }) =>
      liveProblems(said)
        .slice(0, 1)
        .map((what) => `${host}: ${what}`),
    ),
    ...(live.length < members ? silent : []),
    ...(live.length > 0 && size < members ? [`${size} of ${members} members are in the component`] : []),
    ...(alone && live[0] && size > 1
      ? [`${live[0].host}: ${size} members are in the component, though the group has one`]
      : []),
    ...(histories.size > 1 ? [`the members are in ${histories.size} different histories`] : []),
  ];
}

/**
 * Milliseconds for which a session must have been idle to be ended, in the first, second and last third of the patience:
 * the longer, the less likely it is that its client is just about to use it. The server counts from its last statement.
 */
const calmMs = [500, 200, 0] as const;

/**
 * Ends client sessions where that costs nobody a transaction: such as are idle and in none. Pools try a session before
 * they use it, and take another. `share` is the part of the patience that has passed. Returns the ids of those left.
 */
export async function endIdleSessions(
  server: NonNullable<StepOf<'stop'>['cleanly']>,
  share: number,
  { node, clients }: Pick<StepContext, 'node' | 'clients'>,
): Promise<readonly string[]> {
  const third = Math.min(2, Math.floor(share * 3));
  return clients.endIdleSessions(node, server, calmMs[third] ?? 0);
}

/** Sessions that came to other members meanwhile end there, as they are idle; new ones go to the preferred member. */
export async function moveSessions(step: StepOf<'galera-sessions'>, context: StepContext): Promise<string | undefined> {
  const { clock } = context;
  const started = clock.now();
  let first: ReadonlySet<string> | undefined;
  for (;;) {
    const passed = clock.now() - started;
    const share = passed / (step.patienceSeconds * 1000);
    const left = await Promise.all(
      step.servers.map(async ({ host, server }) => {
        const ids = await endIdleSessions(server, share, context).catch(() => []);
        return ids.map((id) => `${host} ${id}`);
      }),
    );
    // Whoever goes past the load balancer comes back to the same member: that is no reason to wait.
    first ??= new Set(left.flat());
    const stay = left.flat().filter((id) => first?.has(id));
    if (stay.length === 0) return undefined;
    if (share >= 1) return `${stay.length} sessions are busy all the time and stay on another member`;
    await clock.sleep(pauseMs / 4);
  }
}

/**
 * Upgrades a member's data unless its directory says that it has been, and believes nothing but that directory. A run
 * that is killed leaves the marker: the next one comes here again.
 */
export async function upgradeData(step: StepOf<'galera-upgrade'>, context: StepContext): Promise<string> {
  const { node } = context;
  const wanted = await serverVersion(step, node);
  let found = await dataVersion(step, node);
  const before = found;
  // One of an interrupted run may be at it, or have left its container.
  if (found === wanted && (await node.inspect(step.name))?.running !== true) await node.remove(step.name);
  else {
    await runToEnd(step, context);
    found = await dataVersion(step, node);
  }
  if (found !== wanted) {
    const message = `${step.name} has ended well, but the data of ${step.container} is ${found ?? 'of no version'} and its server ${wanted}`;
    throw failed(step, message, `see the log of ${step.container}; the same command tries it again`);
  }
  await node.removeMarkers([step.pending]);
  return before === wanted ? `was ${wanted} already` : `from ${before ?? 'a version not noted'} to ${wanted}`;
}

/** `11.8.6-MariaDB`: what stands in the data directory after an upgrade, of a server's own `11.8.6-MariaDB-0+deb13u1-log`. */
async function serverVersion(step: StepOf<'galera-upgrade'>, node: NodePort): Promise<string> {
  const argv = ['mariadb', '--protocol=socket', '-N', '-B', '-e', 'SELECT VERSION()'];
  const said = await node.exec(step.container, argv, { timeoutMs: 20_000 });
  const version = plainVersion(parseDataVersion(said.stdout));
  if (version !== undefined) return version;
  throw failed(step, `cannot ask ${step.container} for its version: ${said.stderr.trim().split('\n')[0]}`);
}

async function dataVersion(step: StepOf<'galera-upgrade'>, node: NodePort): Promise<string | undefined> {
  const look = await node.readVolume(step.volume, dataVersionFiles);
  return look && plainVersion(dataVersionIn(look.texts));
}

function plainVersion(version: string | undefined): string | undefined {
  return version && /^\d+\.\d+\.\d+(?:-MariaDB)?/.exec(version)?.[0];
}

/** Fails when the new version may have written to the data: from then on the old one would destroy it. */
export async function checkUntouched(step: StepOf<'galera-untouched'>, { node }: StepContext): Promise<string> {
  const old = await node.inspect(step.previous);
  if (old === undefined) return 'the old one was not set aside yet';
  const ended = old.finishedAt;
  if (ended === undefined || (await node.volumeWrittenSince(step.volume, ended))) {
    const message = `the new version of ${step.container} has written to its data: the old one cannot use it any more`;
    const hint = `nothing is put back here, the other members serve; mend the cause and run the same command again, or give it the others' data: remove ${step.container} and its volume ${step.volume} on this host first`;
    throw failed(step, message, hint);
  }
  return 'not written to';
}
