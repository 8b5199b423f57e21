import type { NodeName } from '../settings.ts';

/** The node whose disk is full; the one before it in the rollout's order is done by then, the one after it waits. */
export const poor: NodeName = 'node2';

/** A full disk of a node while memcached is replaced everywhere, and what is expected of it. */
export interface DiskFault {
  readonly name: string;
  readonly folder: string;
  /** KiB that stay free. */
  readonly leaves: number;
  /** From the first call of this kind to a node's engine on; before the run when absent. */
  readonly from?: { readonly node: NodeName; readonly call: RegExp };
  readonly expected: {
    readonly exit: number;
    /** In what the operator reads. */
    readonly says: readonly RegExp[];
    /** What is not as it was afterwards. */
    readonly changed: readonly string[];
    /** Whether something of the name serves on the poor node until there is room. */
    readonly serves: boolean;
  };
}

const kollaFull = /make room on the filesystem of \/etc\/kolla, then run the same command again/;
const engineFull = /node2: cannot .*no space left on the engine’s disk \(.*no space left on device.*\)/;

export const diskFaults: readonly DiskFault[] = [
  {
    name: '/etc/kolla is full before the run',
    folder: '/etc/kolla',
    leaves: 0,
    expected: {
      exit: 4,
      says: [/error: node2: no space left for the files of this plan: \/etc\/kolla has room for 0 KiB/, kollaFull],
      changed: [],
      serves: true,
    },
  },
  {
    name: '/etc/kolla is full when the new files are written',
    folder: '/etc/kolla',
    leaves: 0,
    from: { node: 'node1', call: /\/containers\/memcached\/start/ },
    expected: {
      exit: 1,
      says: [/node2: cannot write .*: no space left on its disk; the old files are still in place/, kollaFull],
      changed: ['node1/memcached'],
      serves: true,
    },
  },
  {
    name: '/etc/kolla is full when the new container is created, and cannot be noted',
    folder: '/etc/kolla',
    leaves: 0,
    from: { node: poor, call: /\/containers\/create/ },
    expected: {
      exit: 1,
      says: [/node2: cannot write .*\.deploy\/markers.*: no space left on its disk/, kollaFull],
      changed: ['node1/memcached', 'node2/memcached__next'],
      serves: true,
    },
  },
  {
    name: '/etc/kolla is full when the old container stops: the new one serves, its form cannot be noted',
    folder: '/etc/kolla',
    leaves: 0,
    from: { node: poor, call: /\/containers\/memcached\/stop/ },
    expected: {
      exit: 1,
      says: [/node2: cannot record what memcached is made of: no space left on its disk/, kollaFull],
      changed: ['node1/memcached', 'node2/memcached', 'node3/memcached'],
      serves: true,
    },
  },
  {
    name: 'the engine’s disk is full when it creates the new container',
    folder: '/var/lib/docker/containers',
    leaves: 0,
    expected: {
      exit: 1,
      says: [/node2: cannot create the container memcached__next/, engineFull],
      changed: ['node1/memcached'],
      serves: true,
    },
  },
  {
    name: 'the engine’s disk is full when it starts the new container',
    folder: '/var/lib/docker/containers',
    leaves: 0,
    from: { node: poor, call: /\/containers\/memcached\/start/ },
    expected: {
      exit: 1,
      says: [/node2: cannot start the container memcached/, engineFull],
      changed: ['node1/memcached', 'node2/memcached', 'node2/memcached__previous'],
      serves: false,
    },
  },
];
