import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from './command.ts';
import { connect } from './job/database-clients.ts';
import { deploy, inContainer } from './job/deploy-command.ts';
import { databaseLab } from './job/deployed.ts';
import { Running } from './job/running.ts';
import { data, onNode, recover, recovered, survive, timeIn } from './job/survival.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES, type NodeName, nodeByName } from './settings.ts';

/** How often each fault is brought about; all of them with GALERA_FAULTS=all. */
const runs = Number(process.env.GALERA_RUNS ?? 1);
const all = process.env.GALERA_FAULTS === 'all' || runs > 1;

/** Loses what two nodes send each other over TCP, so that members do not see each other; the virtual address stays. */
async function cut(one: NodeName, other: NodeName): Promise<void> {
  for (const [at, from] of [
    [one, other],
    [other, one],
  ] as const)
    await onNode(at, `iptables -w -I INPUT -p tcp -s ${nodeByName(from).address} -j DROP`);
}

async function healAll(): Promise<void> {
  const rules = NODES.map(
    ({ address }) => `while iptables -w -D INPUT -p tcp -s ${address} -j DROP 2>/dev/null; do :; done`,
  );
  await Promise.all(NODES.map(({ name }) => onNode(name, rules.join('; '))));
}

/** Waits until members are in that kind of component, by their own word. */
async function untilComponent(nodes: readonly NodeName[], wanted: string): Promise<void> {
  const query = "SHOW GLOBAL STATUS LIKE 'wsrep_cluster_status'";
  const is = async (node: NodeName) =>
    (await inContainer(node, 'mariadb', `mariadb --protocol=socket -N -B -e "${query}"`)).endsWith(`\t${wanted}`);
  const seen = await waitFor(async () => (await Promise.all(nodes.map(is))).every(Boolean), 60_000, 500);
  expect(seen, `${nodes.join(', ')} ${wanted}`).toBe(true);
}

/** Ends the member of the first of these nodes on which the condition, a shell command, holds. */
async function killWhen(nodes: readonly NodeName[], condition: string): Promise<NodeName> {
  const over = '/run/lab-kill-over';
  const wait = `i=0; until ${condition}; do i=$((i+1)); [ $i -gt 1200 -o -e ${over} ] && exit 3; sleep 0.05; done`;
  await Promise.all(nodes.map((node) => onNode(node, `rm -f ${over}`)));
  const watches = nodes.map(async (node) => {
    await onNode(node, `${wait}; docker kill mariadb`);
    return node;
  });
  try {
    return await Promise.any(watches);
  } finally {
    await Promise.all(nodes.map((node) => onNode(node, `touch ${over}`)));
  }
}

/** A first recovery that is hurt, and the one after it. */
async function twice(lab: Lab, hurt: () => Promise<NodeName>, ...options: string[]): Promise<string> {
  const hurting = hurt();
  const first = new Running(lab, recover);
  const hit = await hurting;
  const { code, seconds, output } = await first.ended;
  if (code === 0) return `${hit} killed, once was enough: ${timeIn(output)}`;
  const why = /^error: (.*?)(?:; it logged last:)?$/m.exec(output)?.[1];
  return `${hit} killed, the first one gave up after ${seconds.toFixed(1)} s (${why}); then ${await recovered(lab, ...options)}`;
}

/** Its data is gone, so that it needs a full state transfer. */
async function loseData(node: NodeName): Promise<void> {
  await onNode(node, 'docker rm -f mariadb && docker volume rm mariadb');
}

interface Fault {
  readonly title: string;
  /** Not among the samples of a short run. */
  readonly long?: true;
  readonly strike: (lab: Lab) => Promise<void>;
  readonly back: (lab: Lab) => Promise<string>;
}

const faults: readonly Fault[] = [
  {
    title: 'one member is cut off from the others, and the network heals',
    strike: async () => {
      await cut('node3', 'node1');
      await cut('node3', 'node2');
      await untilComponent(['node3'], 'non-Primary');
    },
    back: async (lab) => {
      const check = await deploy(lab, ['mariadb', 'check']);
      expect(check.code, check.stdout).toBe(1);
      expect(check.stderr).toContain('node3: its component is non-Primary');
      await healAll();
      return recovered(lab);
    },
  },
  {
    title: 'nobody sees anybody, one dies meanwhile, and the network heals',
    long: true,
    strike: async () => {
      for (const [one, other] of [
        ['node1', 'node2'],
        ['node1', 'node3'],
        ['node2', 'node3'],
      ] as const)
        await cut(one, other);
      await untilComponent(['node1', 'node2', 'node3'], 'non-Primary');
    },
    back: async (lab) => {
      const refused = await deploy(lab, recover);
      expect(refused.code, refused.stdout).toBe(4);
      expect(refused.stderr).toContain('do not see each other');
      // Without the view of all of them the other two do not form the component by themselves.
      await onNode('node3', `docker kill mariadb && rm -f ${data}/gvwstate.dat`);
      await healAll();
      const ran = await deploy(lab, recover);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      expect(ran.stdout).toContain('pc.bootstrap');
      return timeIn(ran.stdout);
    },
  },
  {
    title: 'a member has data of another history',
    strike: async () => {
      await onNode('node3', 'docker stop -t 60 mariadb && docker rm mariadb');
      const foreign = 'aaaaaaaa-1111-11f0-9999-000000000000';
      await onNode('node3', `sed -i 's/^uuid: .*/uuid:    ${foreign}/; s/^seqno: .*/seqno:   5/' ${data}/grastate.dat`);
    },
    back: async (lab) => {
      const joined = await deploy(lab, ['reconfigure', '--tags', 'mariadb', '--yes']);
      expect(joined.code, joined.stdout).not.toBe(0);
      expect(joined.stdout + joined.stderr).toContain('has data of another history');
      const refused = await deploy(lab, recover);
      expect(refused.code, refused.stdout).toBe(4);
      expect(refused.stderr).toContain('another history');
      const said = await recovered(lab, '--accept-loss', '--keep-data');
      const status = await deploy(lab, ['mariadb', 'status']);
      const [copy = ''] = /mariadb-kept-\d+T\d+-other-history/.exec(status.stdout) ?? [];
      expect(await onNode('node3', `cat /var/lib/docker/volumes/${copy}/_data/grastate.dat`)).toContain(
        'aaaaaaaa-1111',
      );
      expect(await onNode('node3', `ls /var/lib/docker/volumes/${copy}/_data`)).toContain('ibdata1');
      await onNode('node3', `docker volume rm ${copy}`);
      return said;
    },
  },
  {
    title: 'the data directory of a member is corrupt',
    strike: async () => {
      await onNode('node3', 'docker kill mariadb');
      await onNode('node3', `dd if=/dev/urandom of=${data}/ibdata1 bs=64k count=8 conv=notrunc`);
    },
    back: (lab) => recovered(lab),
  },
  {
    title: 'a joiner is killed in its full state transfer',
    strike: () => loseData('node3'),
    back: (lab) => twice(lab, () => killWhen(['node3'], `[ -e ${data}/sst_in_progress ]`)),
  },
  {
    title: 'the donor is killed in a full state transfer',
    long: true,
    strike: () => loseData('node3'),
    back: (lab) =>
      // What the joiner has by then is of no use, and if it fell together with the donor somebody has to say so.
      twice(
        lab,
        () => killWhen(['node1', 'node2'], 'pgrep -f [w]srep_sst_mariabackup'),
        ...['--without', 'node3', '--accept-loss'],
      ),
  },
  {
    title: 'a joiner is killed in its incremental state transfer',
    strike: async (lab) => {
      await onNode('node3', 'docker stop -t 60 mariadb');
      // Enough for a transfer that takes a while, and not too much for the cache it is served from.
      const connection = await connect(lab, lab.vip);
      await connection.query('CREATE TABLE lab_commits.ballast (a LONGBLOB)');
      for (let i = 0; i < 60; i++)
        await connection.query("INSERT INTO lab_commits.ballast VALUES (REPEAT('x', 1000000))");
      await connection.end();
    },
    back: async (lab) => {
      const log = '/var/lib/docker/volumes/kolla_logs/_data/mariadb/mariadb.log';
      const size = await onNode('node3', `wc -c < ${log}`);
      const said = await twice(lab, () => killWhen(['node3'], `tail -c +${size} ${log} | grep -q 'Receiving IST'`));
      const connection = await connect(lab, lab.vip);
      await connection.query('DROP TABLE lab_commits.ballast');
      await connection.end();
      return said;
    },
  },
];

describe('a Galera cluster outlives faults of its network, its data and its state transfers', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await databaseLab(printingReport());
  });

  afterEach(async () => {
    await healAll();
    // Whatever a failure left; the next fault begins with a whole cluster.
    const check = await deploy(lab, ['mariadb', 'check']);
    if (check.code !== 0) await deploy(lab, [...recover, '--without', 'node3', '--accept-loss']);
  });

  for (const [number, { title, strike, back, long }] of faults.entries()) {
    for (let run = 0; run < runs; run++) {
      it.skipIf(long && !all)(`${title}${runs > 1 ? ` (${run + 1})` : ''}`, async () => {
        await survive(
          lab,
          title,
          `f${number}`,
          () => strike(lab),
          () => back(lab),
        );
      });
    }
  }
});
