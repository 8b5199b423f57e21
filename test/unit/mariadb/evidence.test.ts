import { describe, expect, it } from 'vitest';
import type { GaleraMember } from '../../../src/core/galera/member.ts';
import type { ObservedNode } from '../../../src/core/model/node.ts';
import { Secret } from '../../../src/core/model/secret.ts';
import { liveFrom, readMember } from '../../../src/edge/mariadb/evidence.ts';
import { readStatus } from '../../../src/edge/mariadb/galera.ts';
import type { NodePort, VolumeLook } from '../../../src/run/ports.ts';

const server = { address: '192.0.2.11', port: 3306, user: 'root', password: new Secret('x') };
const member: GaleraMember = { host: 'node1', container: 'mariadb', volume: 'mariadb', server };
const uuid = '6ff7df2c-0000-11f0-b1e7-1f6a5a3e0f2b';
const grastate = `uuid: ${uuid}\nseqno: 7\nsafe_to_bootstrap: 0\n`;

/** A node of which only the volume and the port can be asked; anything else is a change, or superfluous. */
function nodeWith(volume: VolumeLook | undefined): NodePort {
  return {
    host: 'node1',
    readVolume: async () => volume,
    connect: async () => {
      throw new Error('connection refused');
    },
  } as unknown as NodePort;
}

function seen(state: string | undefined): ObservedNode {
  return { containers: state === undefined ? [] : [{ name: 'mariadb', state }] } as unknown as ObservedNode;
}

function look(texts: Readonly<Record<string, string>>, entries: readonly string[] = Object.keys(texts)): VolumeLook {
  return { mountpoint: '/volumes/mariadb', entries, texts: new Map(Object.entries(texts)) };
}

describe('the evidence of a member', () => {
  it('is what lies in its volume, whether there is a container or not', async () => {
    const volume = look({ 'grastate.dat': grastate, mysql_upgrade_info: '10.11.14-MariaDB\n' });
    for (const [state, container] of [
      ['exited', 'stopped'],
      [undefined, 'missing'],
    ] as const) {
      expect(await readMember(nodeWith(volume), member, seen(state))).toMatchObject({
        kind: 'seen',
        container,
        data: 'present',
        grastate: { uuid, seqno: 7n, safeToBootstrap: false },
        view: undefined,
        dataVersion: '10.11.14-MariaDB',
        unfinishedTransfer: false,
      });
    }
  });

  it('tells no data from data that cannot be read', async () => {
    const data = async (volume: VolumeLook | undefined) => {
      const found = await readMember(nodeWith(volume), member, seen('exited'));
      return found.kind === 'seen' ? found.data : undefined;
    };
    expect(await data(undefined)).toBe('missing');
    expect(await data(look({}, []))).toBe('missing');
    expect(await data(look({}, ['lost+found']))).toBe('missing');
    expect(await data({ mountpoint: '/volumes/mariadb', entries: undefined, texts: new Map() })).toBe('unknown');
  });

  it('calls a file corrupt that is there and cannot be read, or is not whole', async () => {
    const volume = look({ 'gvwstate.dat': 'my_uuid: 1' }, ['grastate.dat', 'gvwstate.dat', 'sst_in_progress']);
    expect(await readMember(nodeWith(volume), member, seen('exited'))).toMatchObject({
      grastate: 'corrupt',
      view: 'corrupt',
      unfinishedTransfer: true,
    });
  });

  it('is of a running member when its container is between two starts, or its server does not answer yet', async () => {
    for (const state of ['running', 'restarting', 'paused']) {
      const recovered = { kind: 'position', position: { uuid, seqno: 9n } } as const;
      const found = await readMember(nodeWith(look({ 'grastate.dat': grastate })), member, seen(state), recovered);
      // Its position may have changed since it was asked for.
      expect(found).toMatchObject({ container: 'running', recovered: undefined });
    }
  });
});

describe('the status of a server', () => {
  it('becomes evidence', () => {
    const status = readStatus(
      new Map([
        ['wsrep_cluster_status', 'non-Primary'],
        ['wsrep_cluster_state_uuid', uuid.toUpperCase()],
        ['wsrep_local_state_uuid', uuid.toUpperCase()],
        ['wsrep_cluster_conf_id', '18446744073709551615'],
        ['wsrep_last_committed', '9007199254740993'],
        ['wsrep_incoming_addresses', 'b:3306,a:3306'],
        ['wsrep_flow_control_paused', '0.25'],
        ['wsrep_cluster_size', '2'],
      ]),
    );
    expect(liveFrom(status)).toMatchObject({
      cluster: 'non-Primary',
      uuid,
      seqno: 9007199254740993n,
      flowControlPaused: 0.25,
      clusterSize: 2,
    });
  });

  it('tells its view by number in a Primary component, and outside of one who it is and where it stands', () => {
    const live = (cluster: string) => {
      const words = [
        ['wsrep_cluster_status', cluster],
        ['wsrep_cluster_state_uuid', uuid],
        ['wsrep_cluster_conf_id', cluster === 'Primary' ? '12' : '18446744073709551615'],
        ['wsrep_cluster_size', '2'],
        ['wsrep_gcomm_uuid', 'CCAF9BBB-e639-11f1-a231-8a13c198cd07'],
        ['wsrep_local_index', '1'],
      ] as const;
      return liveFrom(readStatus(new Map(words)));
    };
    expect(live('Primary').viewId).toBe(`${uuid} 12`);
    expect(live('non-Primary')).toMatchObject({
      viewId: 'ccaf9bbb 2',
      seat: { id: 'ccaf9bbb-e639-11f1-a231-8a13c198cd07', index: 1 },
    });
    expect(live('Disconnected').viewId).toBe('');
  });

  it('of a server without Galera is in no cluster', () => {
    expect(liveFrom(readStatus(new Map()))).toMatchObject({ cluster: 'Disconnected', uuid: '', seqno: -1n });
  });
});
