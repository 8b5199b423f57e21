import { readFileSync, writeFileSync } from 'node:fs';
import { type CommandResult, LabError, run } from './command.ts';
import { outerDocker, tryOuterDocker } from './engine.ts';
import { BRIDGE, GATEWAY, NETWORK, SUBNET, SUBNET_PREFIX } from './settings.ts';

/** Refuses to go on when something that is not the lab's already uses its addresses. */
export async function checkAddresses(): Promise<void> {
  const result = await run('ip', ['-o', '-4', 'address', 'show']);
  const foreign = result.stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map((words) => ({ device: words[1] ?? '', address: words[3] ?? '' }))
    .find(({ device, address }) => address.startsWith(SUBNET_PREFIX) && device !== BRIDGE);
  if (foreign === undefined) return;
  throw new LabError(
    `the lab's network ${SUBNET} is in use: interface ${foreign.device} has ${foreign.address}`,
    `if nothing needs it, clear it with: ip address del ${foreign.address} dev ${foreign.device}`,
  );
}

/** Creates the bridge network of the nodes unless it is there. */
export async function ensureNetwork(): Promise<'already there' | 'created'> {
  const found = await tryOuterDocker(['network', 'inspect', NETWORK]);
  if (found.code === 0 && (await bridgeIsUp())) return 'already there';
  // The network's record without its interface cannot be repaired, only made again; nodes are reconnected later.
  if (found.code === 0) await removeNetwork();
  const mtu = await defaultMtu();
  await outerDocker([
    ...['network', 'create', '--driver', 'bridge', '--subnet', SUBNET, '--gateway', GATEWAY],
    ...['--opt', `com.docker.network.bridge.name=${BRIDGE}`],
    ...['--opt', `com.docker.network.driver.mtu=${mtu}`],
    NETWORK,
  ]);
  return 'created';
}

async function removeNetwork(): Promise<void> {
  const members = await outerDocker([
    'network',
    'inspect',
    '--format',
    '{{range .Containers}}{{.Name}} {{end}}',
    NETWORK,
  ]);
  for (const name of members.split(/\s+/).filter((word) => word !== '')) {
    await tryOuterDocker(['network', 'disconnect', '--force', NETWORK, name]);
  }
  await outerDocker(['network', 'rm', NETWORK]);
}

async function bridgeIsUp(): Promise<boolean> {
  const shown = await run('ip', ['-o', '-4', 'address', 'show', 'dev', BRIDGE]);
  return shown.code === 0 && shown.stdout.includes(`${GATEWAY}/`);
}

/** Largest packet of the machine's way out: a bridge with larger ones would lose them silently. */
export async function defaultMtu(): Promise<number> {
  const route = await run('ip', ['-o', '-4', 'route', 'show', 'default']);
  const device = /\bdev (\S+)/.exec(route.stdout)?.[1];
  if (device === undefined) return 1500;
  try {
    return Number(readFileSync(`/sys/class/net/${device}/mtu`, 'utf8').trim()) || 1500;
  } catch {
    return 1500;
  }
}

/** What of the machine's packet filter the lab's engine may change; remembered so that it can be put back. */
export interface FilterState {
  /** Names of the chains that existed before, per table. */
  readonly chains: Readonly<Record<'filter' | 'nat', readonly string[]>>;
  readonly forwardPolicy: string;
  readonly ipForward: string;
}

export async function readFilterState(): Promise<FilterState> {
  const filter = await rules('filter');
  const nat = await rules('nat');
  return {
    chains: { filter: chainNames(filter), nat: chainNames(nat) },
    forwardPolicy: /^-P FORWARD (\S+)$/m.exec(filter.stdout)?.[1] ?? 'ACCEPT',
    ipForward: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(),
  };
}

function rules(table: string): Promise<CommandResult> {
  return run('iptables', ['-w', '-t', table, '-S']);
}

function chainNames(listing: CommandResult): readonly string[] {
  return [...listing.stdout.matchAll(/^-N (\S+)$/gm)].map((match) => match[1] ?? '');
}

/** Removes the rules that name the lab's bridge, should the engine have left some. */
export async function removeBridgeRules(): Promise<void> {
  for (const table of ['nat', 'filter'] as const) {
    await deleteRules(table, (line) => line.split(' ').includes(BRIDGE));
  }
}

/**
 * Puts the machine's packet filter back to what it was before the lab. Chains named DOCKER* that are newer than the
 * lab are removed with the rules that lead to them. Not to be called while another engine uses the same chains.
 */
export async function restoreFilter(before: FilterState): Promise<void> {
  for (const table of ['nat', 'filter'] as const) {
    const known = before.chains[table];
    const added = chainNames(await rules(table)).filter((name) => name.startsWith('DOCKER') && !known.includes(name));
    await deleteRules(table, (line) => added.includes(/ -j (\S+)/.exec(line)?.[1] ?? ''));
    for (const chain of added) await run('iptables', ['-w', '-t', table, '-F', chain]);
    for (const chain of added) await run('iptables', ['-w', '-t', table, '-X', chain]);
  }
  await run('iptables', ['-w', '-P', 'FORWARD', before.forwardPolicy]);
  writeFileSync('/proc/sys/net/ipv4/ip_forward', `${before.ipForward}\n`);
}

async function deleteRules(table: 'nat' | 'filter', which: (line: string) => boolean): Promise<void> {
  const listing = await rules(table);
  for (const line of listing.stdout.split('\n')) {
    if (line.startsWith('-A ') && which(line))
      await run('iptables', ['-w', '-t', table, '-D', ...line.slice(3).split(' ')]);
  }
}

/** Removes the bridge interface should the engine have left it. */
export async function removeBridge(): Promise<void> {
  await run('ip', ['link', 'delete', BRIDGE]);
}
